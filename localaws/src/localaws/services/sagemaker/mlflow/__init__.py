"""MLflow apps and tracking servers."""
