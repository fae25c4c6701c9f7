"""Step Functions, which moto keeps."""
