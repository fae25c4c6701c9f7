"""Benchmarks of a push, the endpoint, a synthesis and large tables, each against a reference in the same run."""
