"""Secrets Manager: secrets, which moto keeps."""
