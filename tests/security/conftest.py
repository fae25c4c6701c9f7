"""The registry and the example model of the tests of ml_code."""

from tests.ml_code.conftest import empty_registry, spec

__all__ = ["empty_registry", "spec"]
