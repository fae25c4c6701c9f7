"""The function of drift monitoring. It runs in Lambda, without the CDK."""
