"""The jobs of the SageMaker pipelines."""
