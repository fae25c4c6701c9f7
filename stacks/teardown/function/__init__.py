"""Code of the Lambda function that runs first on destroy; it has no CDK."""
