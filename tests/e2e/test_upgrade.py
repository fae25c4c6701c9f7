"""A factory that the last release deployed is deployed anew from this checkout, while its production answers.

That release had one model, whose names keep their form by the setting `unprefixed_model`.
"""

import subprocess
import sys
from collections.abc import Iterator

import boto3
import pytest

from ml_code.contracts import Output
from operations.factory import deployed_factory, mlflow_client, release_records
from operations.failures import failure_lines
from tests.e2e.conftest import CODECOMMIT, NAME, Workspace, invoke, running
from tests.e2e.load import Load
from tests.e2e.sample import MODEL, PROJECT, requests, sample_rows

pytestmark = pytest.mark.e2e

# The state before releases were pinned, for clones without tags.
BEFORE_TAGS = "5c815c2"


def last_release() -> str:
    command = ["git", "-C", str(PROJECT), "describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^"]
    found = subprocess.run(command, text=True, capture_output=True, check=False)
    return found.stdout.strip() or BEFORE_TAGS


@pytest.fixture(scope="module", autouse=True)
def _unprefixed() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.e2e.conftest.PREFIX", NAME)
        yield


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with running(tmp_path_factory.mktemp("upgrade") / NAME) as workspace:
        release = last_release()
        if not workspace.run("git", "cat-file", "-t", release, check=False).startswith("commit"):
            pytest.skip(f"the clone has no release before this one: no tag, and not the commit {release}")
        workspace.run("git", "switch", "--quiet", "--detach", release)
        yield workspace


def deliver(workspace: Workspace) -> None:
    execution = workspace.next_execution()
    status, _ = workspace.finish(execution)
    assert status == "Succeeded", "\n".join(failure_lines(NAME, execution))


def move_data(bucket: str) -> None:
    """Below the prefix of the model, as the notes on the upgrade say."""
    s3 = boto3.client("s3")
    for found in s3.list_objects_v2(Bucket=bucket, Prefix="raw/")["Contents"]:
        name = found["Key"].removeprefix("raw/")
        s3.copy({"Bucket": bucket, "Key": found["Key"]}, bucket, f"raw/{MODEL}/{name}")
        s3.delete_object(Bucket=bucket, Key=found["Key"])


def test_an_upgrade_keeps_production_answering_and_goes_on(workspace: Workspace) -> None:
    workspace.skip_build_tests()
    workspace.train_little()
    workspace.run("git", "commit", "--quiet", "--all", "--message", "Train little")
    workspace.cdk("synth", "--quiet")
    workspace.run(sys.executable, "-m", "operations.bootstrap")
    workspace.deploy()
    deliver(workspace)
    rows = requests(sample_rows()[:1])
    assert invoke()["model_version"] == "1"
    factory = deployed_factory()
    data = factory.output(Output.DATA_BUCKET_NAME)
    before = boto3.client("s3").list_objects_v2(Bucket=data, Prefix="raw/")["Contents"]

    workspace.run("git", "switch", "--quiet", "--detach", "start")
    workspace.skip_build_tests()
    workspace.train_little()
    workspace.configure({"unprefixed_model": MODEL})
    with Load(f"{NAME}-production", rows, 5) as load:
        workspace.deploy()
    assert load.faults == []
    assert set(load.versions()) == {"1"}
    assert boto3.client("s3").list_objects_v2(Bucket=data, Prefix="raw/")["Contents"] == before

    move_data(data)
    for key, value in CODECOMMIT.items():
        workspace.run("git", "config", key, value)
    workspace.run("git", "remote", "add", "local", factory.output(Output.REPOSITORY_CLONE_URL))
    workspace.push("The new version of the factory")
    deliver(workspace)
    assert invoke()["model_version"] == "2"
    factory = deployed_factory()
    registered = mlflow_client(factory).search_model_versions(f"name = '{MODEL}'")
    assert {version.version for version in registered} == {"1", "2"}
    assert [release.version for release in release_records(factory, factory.model()).read()] == ["2"]
