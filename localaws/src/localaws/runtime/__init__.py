"""Processes, and the Python environments that they run in."""
