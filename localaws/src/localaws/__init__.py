"""A local AWS: moto, plus the parts of a model factory that moto only pretends."""
