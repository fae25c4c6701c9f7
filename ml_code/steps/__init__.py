"""What the jobs of the SageMaker pipeline run."""
