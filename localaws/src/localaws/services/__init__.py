"""One folder a service: `service.py`, `resources.py` (CloudFormation types), `permissions.py`."""
