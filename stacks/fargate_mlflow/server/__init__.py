"""What runs in the MLflow container of `mlflow=fargate`; the stack reads it as text."""
