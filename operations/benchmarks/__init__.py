"""Measurements: a push, the endpoint, a synthesis; each against what it is compared with, in one run."""
