import os
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from localaws.core.account import Account
from localaws.core.identity import Credentials
from localaws.services.codecommit.git_credential import git_configuration, git_password
from localaws.services.codecommit.resources import RepositoryResource
from localaws.services.iam.authorization import assume_role

Json = dict[str, Any]


def git(directory: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=directory,
        env={**os.environ, **quiet, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


def url(account: Account, name: str, credentials: Credentials, *, age_minutes: int = 0) -> str:
    """The clone URL with what the credential helper answers."""
    now = datetime.now(UTC).timestamp() - age_minutes * 60
    password = git_password(
        secret_access_key=credentials.secret_access_key,
        region=account.region,
        host="localhost",
        path=f"/v1/repos/{name}",
        timestamp=f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}",
    )
    user = credentials.access_key_id + (f"%{credentials.session_token}" if credentials.session_token else "")
    return f"http://{quote(user, safe='')}:{password}@localhost:{account.port}/v1/repos/{name}"


@pytest.fixture
def seeded(account: Account, tmp_path: Path) -> Iterator[str]:
    archive = tmp_path / "seed.zip"
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("README.md", "hello\n")
        content.writestr(".gitignore", "ignored.txt\n")
        content.writestr("ignored.txt", "yet it is in the archive\n")
        content.writestr("training/train.py", "print()\n")
    s3 = account.client("s3")
    s3.create_bucket(Bucket="seeds")
    s3.upload_file(str(archive), "seeds", "seed.zip")
    resource = RepositoryResource()
    properties = {
        "RepositoryName": "seeded",
        "Code": {"BranchName": "trunk", "S3": {"Bucket": "seeds", "Key": "seed.zip"}},
        "Tags": [{"Key": "project", "Value": "seeded"}],
    }
    physical_id = resource.create(account, "stack-Repository", properties)
    assert resource.attributes(account, physical_id)["Arn"] == account.arn("codecommit", "seeded")
    yield "seeded"
    resource.delete(account, physical_id, properties)
    resource.delete(account, physical_id, properties)


def test_seed_is_one_commit_with_every_file_of_the_archive(account: Account, seeded: str) -> None:
    client = account.client("codecommit")
    branch = client.get_branch(repositoryName=seeded, branchName="trunk")["branch"]
    commit = client.get_commit(repositoryName=seeded, commitId=branch["commitId"])["commit"]
    assert commit["parents"] == []
    folder = client.get_folder(repositoryName=seeded, folderPath="/")
    assert {file["absolutePath"] for file in folder["files"]} == {"README.md", ".gitignore", "ignored.txt"}
    assert [folder["absolutePath"] for folder in folder["subFolders"]] == ["training"]
    assert client.get_file(repositoryName=seeded, filePath="README.md")["fileContent"] == b"hello\n"
    arn = account.arn("codecommit", seeded)
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"project": "seeded"}


def test_seed_with_an_empty_file_is_refused_as_by_codecommit(account: Account, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.zip", "w") as content:
        content.writestr("package/__init__.py", "")
    account.client("s3").create_bucket(Bucket="empty-seeds")
    account.client("s3").upload_file(str(tmp_path / "empty.zip"), "empty-seeds", "empty.zip")
    properties = {"RepositoryName": "empty", "Code": {"S3": {"Bucket": "empty-seeds", "Key": "empty.zip"}}}
    with pytest.raises(Exception, match=r"package/__init__\.py"):
        RepositoryResource().create(account, "stack-Repository", properties)
    assert (
        account.client("codecommit").batch_get_repositories(repositoryNames=["empty"])["repositories"] == []
    )


def test_push_moves_the_branch_and_publishes_the_event(account: Account, seeded: str, tmp_path: Path) -> None:
    events: list[Json] = []
    account.event_listeners.append(events.append)
    try:
        git(tmp_path, "clone", "-q", url(account, seeded, account.administrator), "work")
        work = tmp_path / "work"
        old = git(work, "rev-parse", "HEAD")
        (work / "README.md").write_text("changed\n" * 300_000)  # more than git sends in one piece
        git(work, "commit", "-qam", "change")
        git(work, "push", "-q", "origin", "trunk")
    finally:
        account.event_listeners.remove(events.append)
    new = git(work, "rev-parse", "HEAD")
    [event] = [event for event in events if event["source"] == "aws.codecommit"]
    assert event["detail-type"] == "CodeCommit Repository State Change"
    assert event["resources"] == [account.arn("codecommit", seeded)]
    expected = {
        "event": "referenceUpdated",
        "repositoryName": seeded,
        "referenceType": "branch",
        "referenceName": "trunk",
        "referenceFullName": "refs/heads/trunk",
        "commitId": new,
        "oldCommitId": old,
    }
    assert expected.items() <= event["detail"].items()
    assert event["detail"]["callerUserArn"].endswith("user/delivery-administrator")
    branch = account.client("codecommit").get_branch(repositoryName=seeded, branchName="trunk")["branch"]
    assert branch["commitId"] == new


def test_the_credential_helper_of_the_aws_cli_signs_in(account: Account, seeded: str, tmp_path: Path) -> None:
    helper = '!f() { test "$1" != get || aws codecommit credential-helper get --ignore-host-check; }; f'
    git(
        tmp_path,
        "-c",
        f"credential.helper={helper}",
        "-c",
        "credential.useHttpPath=true",
        "clone",
        "-q",
        f"http://localhost:{account.port}/v1/repos/{seeded}",
        "work",
        environment=account.environment(account.administrator),
    )
    assert (tmp_path / "work" / "README.md").exists()


def test_the_helper_of_the_local_aws_signs_in_too(account: Account, seeded: str, tmp_path: Path) -> None:
    configuration = git_configuration(
        account.endpoint_url, {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "a.b"}
    )
    assert configuration["GIT_CONFIG_COUNT"] == "4"
    git(
        tmp_path,
        "clone",
        "-q",
        f"{account.endpoint_url}/v1/repos/{seeded}",
        "work",
        environment={
            **account.environment(account.administrator),
            **git_configuration(account.endpoint_url, {}),
        },
    )
    assert (tmp_path / "work" / "README.md").exists()


def test_without_or_with_wrong_or_old_credentials_nothing_is_served(
    account: Account, seeded: str, tmp_path: Path
) -> None:
    wrong = Credentials(account.administrator.access_key_id, "wrong")
    for remote in (
        f"http://localhost:{account.port}/v1/repos/{seeded}",
        url(account, seeded, wrong),
        url(account, seeded, account.administrator, age_minutes=16),
    ):
        with pytest.raises(RuntimeError, match=r"could not read Username|Authentication failed"):
            git(tmp_path, "clone", "-q", remote, "work")


def test_a_role_that_may_only_pull_cannot_push(
    account: Account, seeded: str, tmp_path: Path, make_role: Callable[..., str]
) -> None:
    role = make_role("codebuild.amazonaws.com", "codecommit:GitPull")
    credentials = assume_role(account, role, principal="codebuild.amazonaws.com", session_name="pull")
    git(tmp_path, "clone", "-q", url(account, seeded, credentials), "work")
    work = tmp_path / "work"
    git(work, "commit", "-q", "--allow-empty", "-m", "change")
    with pytest.raises(RuntimeError, match="403"):
        git(work, "push", "-q", "origin", "trunk")


def test_unknown_names_are_answered_in_codecommits_words(account: Account, seeded: str) -> None:
    client = account.client("codecommit")
    with pytest.raises(ClientError, match="RepositoryDoesNotExistException"):
        client.get_repository(repositoryName="nowhere")
    with pytest.raises(ClientError, match="BranchDoesNotExistException"):
        client.get_branch(repositoryName=seeded, branchName="nowhere")
    with pytest.raises(ClientError, match="does not support codecommit:CreatePullRequest"):
        client.create_pull_request(title="t", targets=[{"repositoryName": seeded, "sourceReference": "x"}])
