"""Service Quotas: those of SageMaker."""
