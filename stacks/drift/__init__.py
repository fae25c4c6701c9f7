"""Compares live inputs with the training data, and retrains when they differ."""
