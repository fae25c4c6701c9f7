"""The program of the MLflow container on Fargate; the stack reads it as text."""
