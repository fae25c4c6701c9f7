"""Functions of the stack, loaded as Lambda loads them, with their clients stubbed."""

import importlib.util
from types import ModuleType

import boto3
import pytest
from botocore.stub import Stubber

from tests.stacks.synthesis import PROJECT


def load_function(name: str) -> ModuleType:
    """index.py of the folder stacks/<name>."""
    spec = importlib.util.spec_from_file_location(name, PROJECT / "stacks" / name / "index.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stub_clients(monkeypatch: pytest.MonkeyPatch, *names: str) -> tuple[Stubber, ...]:
    """What boto3.client answers with for these services, and for no other."""
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}  # pragma: allowlist secret
    clients = {name: boto3.client(name, region_name="us-east-1", **keys) for name in names}
    monkeypatch.setattr(boto3, "client", lambda name: clients[name])
    stubs = tuple(Stubber(client) for client in clients.values())
    for stub in stubs:
        stub.activate()
    return stubs
