"""Pipelines whose source is behind a connection, and pushes there."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localaws.core.account import Account
from localaws.services.codepipeline.git_triggers import GitTriggers
from tests.services.codepipeline.delivery import (
    Delivery,
    Wait,
    approval,
    connected,
    git_trigger,
)

CONNECTED_ACTIONS = (
    "codeconnections:UseConnection",
    "s3:GetBucketAcl",
    "s3:GetBucketVersioning",
    "s3:PutObject",
    "s3:PutObjectAcl",
)


@pytest.mark.parametrize("missing", ["s3:GetBucketAcl", "s3:GetBucketVersioning", "s3:PutObjectAcl"])
def test_the_archive_of_a_connection_asks_for_more_of_s3(
    delivery: Delivery,
    account: Account,
    eventually: Wait,
    make_role: Callable[..., str],
    tmp_path: Path,
    missing: str,
) -> None:
    work = tmp_path / "acme" / "digits"
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(work)], check=True)
    commit = ("commit", "--quiet", "--allow-empty", "--message", "Begin")
    subprocess.run(["git", "-C", str(work), *identity, *commit], check=True)
    client = account.client("codeconnections")
    name = f"asks-{time.monotonic_ns()}"
    arn = client.create_connection(ConnectionName=name, ProviderType="GitHub")["ConnectionArn"]
    try:
        connections: Any = account.services["codeconnections"]
        connections.complete(name, tmp_path)
        actions = [action for action in CONNECTED_ACTIONS if action != missing]
        delivery.pipeline_role = make_role("codepipeline.amazonaws.com", *actions)
        delivery.create({"Source": [connected(arn)]}, {"Approval": [approval()]})
        eventually(lambda: delivery.statuses() == ["Failed"])
        details = delivery.latest("Source", "CodeStarSourceConnection")["errorDetails"]
        assert details["code"] == "PermissionError"
        assert f"is not authorized to perform: {missing}" in details["message"]
    finally:
        client.delete_connection(ConnectionArn=arn)


@pytest.mark.parametrize(
    ("permission", "code", "message"),
    [
        ("codeconnections:UseConnection", "ConfigurationError", "[GitHub] Connection {arn} is not available"),
        ("s3:*", "PermissionError", "is not authorized to perform: codeconnections:UseConnection"),
    ],
)
def test_a_pending_connection_fails_the_source_with_its_provider(
    delivery: Delivery,
    account: Account,
    eventually: Wait,
    make_role: Callable[..., str],
    permission: str,
    code: str,
    message: str,
) -> None:
    connections = account.client("codeconnections")
    arn = connections.create_connection(ConnectionName="digits", ProviderType="GitHub")["ConnectionArn"]
    try:
        delivery.pipeline_role = make_role("codepipeline.amazonaws.com", permission)
        delivery.create(
            {"Source": [connected(arn)]},
            {"Approval": [approval()]},
            triggers=[git_trigger("CodeStarSourceConnection")],
        )
        eventually(lambda: delivery.statuses() == ["Failed"])
        details = delivery.latest("Source", "CodeStarSourceConnection")["errorDetails"]
        assert details["code"] == code
        assert message.format(arn=arn) in details["message"]
    finally:
        connections.delete_connection(ConnectionArn=arn)


def test_pushes_behind_a_completed_connection_start_what_they_fit(
    delivery: Delivery, account: Account, eventually: Wait, make_role: Callable[..., str], tmp_path: Path
) -> None:
    folder = tmp_path / "provider"
    work = folder / "acme" / "digits"

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        command = ["git", "-C", str(work), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def commit(path: str) -> str:
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(f"{time.monotonic_ns()}")
        git("add", path)
        git("commit", "--quiet", "--message", f"Change {path}")
        return git("rev-parse", "HEAD")

    work.mkdir(parents=True)
    git("init", "--quiet", "--initial-branch=main")
    commit("README.md")
    client = account.client("codeconnections")
    arn = client.create_connection(ConnectionName="digits-github", ProviderType="GitHub")["ConnectionArn"]
    try:
        delivery.pipeline_role = make_role("codepipeline.amazonaws.com", *CONNECTED_ACTIONS)
        delivery.create(
            {"Source": [connected(arn)]},
            {"Approval": [approval()]},
            triggers=[git_trigger("CodeStarSourceConnection")],
        )
        eventually(lambda: delivery.statuses() == ["Failed"])
        connections: Any = account.services["codeconnections"]
        assert connections.complete("digits-github", folder) == arn
        triggers = GitTriggers(account)
        triggers.look()
        commit("docs/notes.md")
        triggers.look()
        git("switch", "--quiet", "--create", "feature")
        commit("training/model.yaml")
        triggers.look()
        assert len(delivery.executions()) == 1
        git("switch", "--quiet", "main")
        pushed = commit("training/model.yaml")
        commit_after = commit("docs/more.md")
        git("update-ref", "refs/heads/main", pushed)
        triggers.look()
        eventually(lambda: delivery.latest("Approval", "Manual").get("token"))
        newest = delivery.executions()[-1]
        assert newest["trigger"]["triggerType"] == "WebhookV2"
        assert [each["revisionId"] for each in newest["sourceRevisions"]] == [pushed]
        git("update-ref", "refs/heads/main", commit_after)
        triggers.look()
        assert len(delivery.executions()) == 2
        action_record = delivery.action("CodeStarSourceConnection")
        assert action_record["output"]["outputVariables"]["CommitId"] == pushed
        assert action_record["output"]["outputVariables"]["FullRepositoryName"] == "acme/digits"
    finally:
        client.delete_connection(ConnectionArn=arn)
