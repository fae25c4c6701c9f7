"""From a registered model version to an endpoint that serves it, or back."""
