"""What the jobs of the SageMaker pipelines run."""
