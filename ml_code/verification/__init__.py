"""Invocations of an endpoint with rows whose truth is known, and the report of them."""
