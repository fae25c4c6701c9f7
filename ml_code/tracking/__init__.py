"""MLflow: runs, the model registry, and the history of production in it."""
