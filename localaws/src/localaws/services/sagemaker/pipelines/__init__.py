"""Pipelines: definitions and executions."""
