"""A push that attacks the release, against a deployed factory with enforced IAM."""

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError

from ml_code.contracts import Output
from operations.factory import deployed_factory, release_records
from operations.failures import failure_lines
from tests.e2e.conftest import PREFIX, Workspace, invoke, pipeline_executions

pytestmark = pytest.mark.e2e


def test_a_push_changes_nothing_that_touches_an_endpoint(checkout: Workspace) -> None:
    checkout.skip_build_tests()
    checkout.train_little()
    buildspec = checkout.directory / "deploy-buildspec.yml"
    document = yaml.safe_load(buildspec.read_text())
    document["phases"]["build"]["commands"] = ["exit 1"]
    buildspec.write_text(yaml.safe_dump(document))
    for name in ("release", "rollout", "archives"):
        (checkout.directory / f"ml_code/release/{name}.py").write_text('raise SystemExit("foreign code")\n')
    commit = checkout.push("Take the release over")
    execution = checkout.next_execution()
    status, _ = checkout.finish(execution)
    assert status == "Succeeded", "\n".join(failure_lines(PREFIX, execution))
    assert invoke()["commit"] == commit
    newest = release_records(deployed_factory(), deployed_factory().model()).newest()
    assert newest is not None
    assert newest.commit == commit


def test_a_build_that_claims_an_older_training_reaches_no_endpoint(checkout: Workspace) -> None:
    before, served = len(pipeline_executions()), invoke("staging")["commit"]
    trained = pipeline_executions()[-1]["PipelineExecutionArn"]
    path = checkout.directory / "codebuild-buildspec.yml"
    buildspec = yaml.safe_load(path.read_text())
    buildspec["phases"]["build"]["commands"] = [f"export MODEL_VERSION=1 EXECUTION_ARN={trained}"]
    path.write_text(yaml.safe_dump(buildspec))
    checkout.push("Claim what was never trained")
    execution = checkout.next_execution()
    status, stages = checkout.finish(execution)
    assert status == "Failed"
    assert list(stages) == ["Source", "Build", "Staging"]
    assert "this delivery has" in "\n".join(failure_lines(PREFIX, execution))
    assert len(pipeline_executions()) == before
    assert invoke("staging")["commit"] == served


def test_nobody_overwrites_an_approved_archive(factory: Workspace) -> None:
    """Not even an administrator, unless by another policy of the bucket."""
    s3, deployed = boto3.client("s3"), deployed_factory()
    bucket = deployed.output(Output.ARTIFACT_BUCKET_NAME)
    newest = release_records(deployed, deployed.model()).newest()
    assert newest is not None
    key = newest.archive_uri.removeprefix(f"s3://{bucket}/")
    s3.put_object(Bucket=bucket, Key="runs/foreign", Body=b"foreign")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"foreign")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.copy_object(Bucket=bucket, Key=key, CopySource=f"{bucket}/runs/foreign")
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"foreign", IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() != b"foreign"
