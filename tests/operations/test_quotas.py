"""What is missing of SageMaker's quotas is found by name, and asked for only when that is wanted."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.stub import Stubber

from operations import assembly, quotas
from operations.assembly import Assembly
from operations.errors import OperationError

if TYPE_CHECKING:
    from localaws.core.account import Account

TRAINING, TRANSFORM = "ml.m5.large for training job usage", "ml.m5.large for transform job usage"


def needing(monkeypatch: pytest.MonkeyPatch, **needs: int) -> None:
    template = {"Metadata": {"QuotaNeeds": needs}}
    monkeypatch.setattr(assembly, "synthesise", lambda: Assembly("55.0.0", "digits", template, {}, {}))


@pytest.fixture
def restored(local_aws: "Account") -> Iterator[None]:
    table = local_aws.services["sagemaker"].shared.quotas
    before = {name: table.applied(name) for name in (TRAINING, TRANSFORM)}
    yield
    for name, value in before.items():
        table.set_applied(name, value)


def test_the_codes_are_those_of_the_local_aws() -> None:
    table = pytest.importorskip("localaws.services.sagemaker.quotas", reason="the local AWS has the table")
    codes = {quota.name: quota.code for quota in table.QUOTAS}
    assert quotas.CODES.items() <= codes.items()


def test_without_leave_nothing_is_asked_for(
    account: "Account", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needing(monkeypatch, **{TRAINING: 2, "ml.t3.large for processing job usage": 1})
    monkeypatch.setattr(sys, "argv", ["quotas"])
    quotas.main()
    assert f"make quotas YES=1 asks AWS for 1: {TRAINING}: 0, 2 needed." in capsys.readouterr().out
    assert [quota.value for quota in quotas.compare({TRAINING: 2})] == [0]


def test_with_leave_what_is_missing_is_asked_for(
    account: "Account",
    restored: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    needing(monkeypatch, **{TRAINING: 2, TRANSFORM: 1})
    monkeypatch.setattr(sys, "argv", ["quotas", "--request"])
    quotas.main()
    assert f"{TRAINING}: 2 asked for, APPROVED" in capsys.readouterr().out
    quotas.main()
    assert "Nothing is missing." in capsys.readouterr().out


def test_a_name_that_is_not_known_by_heart_is_looked_up(account: "Account") -> None:
    (known,) = quotas.compare({"ml.m5.xlarge for training job usage": 3})
    assert (known.code, known.value, known.is_enough) == ("L-CCE2AFA6", 0, False)


def test_a_quota_that_the_region_does_not_have_is_named(
    account: "Account", monkeypatch: pytest.MonkeyPatch
) -> None:
    needing(monkeypatch, **{"ml.x9.large for training job usage": 1})
    monkeypatch.setattr(sys, "argv", ["quotas", "--request"])
    with pytest.raises(OperationError, match=r"no quota 'ml\.x9\.large for training job usage'"):
        quotas.main()


def test_a_quota_that_was_never_changed_and_a_request_that_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}  # pragma: allowlist secret
    client = boto3.client("service-quotas", region_name="us-east-1", **keys)
    monkeypatch.setattr(boto3, "client", lambda _: client)
    with Stubber(client) as stub:
        stub.add_client_error("get_service_quota", "NoSuchResourceException")
        stub.add_response("get_aws_default_service_quota", {"Quota": {"Value": 1.0}})
        (found,) = quotas.compare({TRAINING: 2})
        assert (found.value, found.is_enough) == (1, False)
        stub.add_client_error("request_service_quota_increase", "ResourceAlreadyExistsException")
        assert [*quotas.request([found])] == [f"{TRAINING}: a request is open already"]
