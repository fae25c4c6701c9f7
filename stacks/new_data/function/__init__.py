"""The function that delays and starts deliveries by new data. It runs in Lambda, without the CDK."""
