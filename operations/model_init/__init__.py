"""Drafts a model.yaml and a sample of data from one table."""
