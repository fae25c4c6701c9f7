"""Models, endpoints and their updates, invocations and captured data."""
