"""ECR: repositories, which moto keeps."""
