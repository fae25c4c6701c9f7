"""Deployment of a registered model version to an endpoint, and its rollback."""
