"""Compares what an endpoint is asked with what its model was trained on."""
