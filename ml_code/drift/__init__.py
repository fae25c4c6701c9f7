"""Comparison of live inputs with the training data."""
