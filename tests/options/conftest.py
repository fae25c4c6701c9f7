"""The settings that differ from the defaults: proved by `make test`, not by every build."""

from tests.stacks.conftest import factory, synthesise

__all__ = ["factory", "synthesise"]
