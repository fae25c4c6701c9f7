"""The code that brings versions to endpoints: that of the deployed stack, which no push changes."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from ml_code.yaml_text import parse_yaml
from stacks.permissions import allow

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = "ml_code"
FILES = (
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "requirements-deploy.lock",
)  # the first three make the wheel


class ReleaseCode(Construct):
    """A second source of the delivery pipeline: deployments run this code, not the pushed code."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        with TemporaryDirectory() as folder:
            _copy(Path(folder))
            self._asset = s3_assets.Asset(self, "Asset", path=folder)

    @property
    def configuration(self) -> dict[str, str]:
        """The configuration of an S3 source action: the bucket of CDK's bootstrap has versions, which such an action demands."""
        return {
            "S3Bucket": self._asset.s3_bucket_name,
            "S3ObjectKey": self._asset.s3_object_key,
            "PollForSourceChanges": "false",
        }

    def grant_fetch(self, grantee: iam.IGrantable) -> None:
        bucket = self._asset.bucket.bucket_arn
        verbs = ("GetObject", "GetObjectTagging", "GetObjectVersion", "GetObjectVersionTagging")
        actions = [f"s3:{verb}" for verb in verbs]
        allow(grantee, "FetchReleaseCode", actions, [f"{bucket}/{self._asset.s3_object_key}"])
        actions = ["s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning"]
        allow(grantee, "LookAtAssets", actions, [bucket])


def deploy_buildspec() -> codebuild.BuildSpec:
    """Part of the template: a push cannot change it."""
    document = parse_yaml((PROJECT / "deploy-buildspec.yml").read_text(encoding="utf-8"))
    return codebuild.BuildSpec.from_object_to_yaml(document)


def _copy(target: Path) -> None:
    shutil.copytree(PROJECT / PACKAGE, target / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(PROJECT / name, target / name)
