"""MLflow in a container of the factory's own."""
