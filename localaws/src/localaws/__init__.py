"""A local AWS: moto, and real parts where moto only pretends."""
