"""From a registered model version to a verified endpoint."""
