"""SageMaker in the local AWS: pipelines, jobs in processes of their own, endpoints and MLflow apps."""
