"""The function that runs first on destroy. It runs in Lambda, without the CDK."""
