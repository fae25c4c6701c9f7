"""Functions of the stack, with their clients stubbed."""

import importlib
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber


def load_function(construct: str) -> ModuleType:
    """The module with the handler of the function that the construct has."""
    return importlib.import_module(f"stacks.{construct}.function.index")


def stub_clients(monkeypatch: pytest.MonkeyPatch, *names: Any) -> tuple[Stubber, ...]:
    """What boto3.client answers with for these services, and for no other."""
    keys: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}  # pragma: allowlist secret
    clients = {name: boto3.client(name, region_name="us-east-1", **keys) for name in names}
    monkeypatch.setattr(boto3, "client", lambda name: clients[name])
    stubs = tuple(Stubber(client) for client in clients.values())
    for stub in stubs:
        stub.activate()
    return stubs
