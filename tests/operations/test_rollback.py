from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ml_code.release.records import Release
from operations.errors import OperationError
from operations.history import rows
from operations.rollback import check_endpoint, choose

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def releases(*spoken: str) -> list[Release]:
    """`1`, `2`, … as deliveries, `1r` as a rollback, an hour each."""
    found = []
    for hour, word in enumerate(spoken):
        version = word.rstrip("r")
        reason, by = ("rollback", "ann") if word.endswith("r") else ("delivery", "bob")
        found.append(
            Release(
                model="digits",
                version=version,
                run_id="r",
                commit="c0ffee00c0ffee",
                data_sha256="d",
                execution_arn="arn:e",
                code_uri="s3://artifacts/code/",
                previous="",
                reason=reason,
                approved_by=f"arn:aws:iam::123456789012:user/{by}",
                delivery="",
                archive_uri=f"s3://artifacts/{version}",
                archive_sha256="a" * 64,
                test_rows_sha256="b" * 64,
                metric="accuracy",
                value=0.97,
                released_at=(NOON + timedelta(hours=hour)).isoformat(),
            )
        )
    return found


@pytest.mark.parametrize(
    ("spoken", "to", "chosen"),
    [
        (("1", "2"), "", "1"),
        (("1", "2", "3"), "", "2"),
        (("1", "2", "3", "2r"), "", "1"),
        (("1", "2", "3", "1r", "4"), "", "1"),
        (("1", "2", "3"), "1", "1"),
        (("1", "2", "1r"), "2", "2"),
        (("1", "2", "1r", "2r"), "", "1"),
    ],
)
def test_one_rollback_undoes_one_delivery(spoken: tuple[str, ...], to: str, chosen: str) -> None:
    found = choose(releases(*spoken), to)
    assert (found.version, found.archive_uri) == (chosen, f"s3://artifacts/{chosen}")


@pytest.mark.parametrize(
    ("spoken", "to", "said"),
    [
        ((), "", "Nothing to roll back to: no version was in production yet"),
        (("1",), "", r"Nothing to roll back to: no version was in production before version 1\."),
        (("1", "2", "1r"), "", "before version 1: make rollback TO=VERSION goes to one of 2"),
        (("1", "2"), "2", "Version 2 is in production now"),
        (("1", "2"), "7", r"Version 7 was never in production, allowed are 1, 2: .*make run"),
    ],
)
def test_where_no_rollback_can_go_is_said(spoken: tuple[str, ...], to: str, said: str) -> None:
    with pytest.raises(OperationError, match=said):
        choose(releases(*spoken), to)


def test_history_says_from_when_to_when_by_whom_and_why() -> None:
    newest, _, oldest = rows(releases("1", "2", "1r"))
    assert newest == (
        "1",
        "2026-11-24 14:00:00",
        "now",
        "c0ffee00c0ff",
        "0.9700",
        "user/ann",
        "rollback",
        "a" * 12,
    )
    assert oldest[1:3] == ("2026-11-24 12:00:00", "2026-11-24 13:00:00")
    assert oldest[5:7] == ("user/bob", "delivery")


def stub(service: Any, monkeypatch: pytest.MonkeyPatch) -> Stubber:
    keys: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}  # pragma: allowlist secret
    client = boto3.client(service, region_name="us-east-1", **keys)
    monkeypatch.setattr(boto3, "client", lambda name: client)
    return Stubber(client)


def test_an_endpoint_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with stub("sagemaker", monkeypatch) as sagemaker:
        sagemaker.add_client_error("describe_endpoint", "ValidationException", 'Could not find endpoint "x".')
        with pytest.raises(OperationError, match=r"factory-production does not exist.*make run"):
            check_endpoint("factory-production")
