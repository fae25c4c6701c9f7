"""Puts a version behind an endpoint, verifies it there by real invocations, and puts the old one back when that fails.

Only then is the old one removed and, in production, the release recorded and the alias moved.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NoReturn

import boto3
from botocore.exceptions import ClientError

from ml_code.contracts import tag_list
from ml_code.release.archives import PinnedArchive
from ml_code.release.endpoint import (
    DeployedConfig,
    Deployment,
    DeploymentError,
    StillUpdatingError,
    Waiter,
    find_deployed,
    put,
    put_back,
    remove,
)
from ml_code.release.endpoint_settings import Realtime, Serverless
from ml_code.release.records import Records, Release, promote, utc_now
from ml_code.release.scaling import start_scaling, stop_scaling
from ml_code.release.settings import ReleaseSettings
from ml_code.release.traffic_probe import TrafficProbe
from ml_code.spec import ModelSpec
from ml_code.tracking.model_registry import RegisteredVersion
from ml_code.verification.invoke import VerificationError
from ml_code.verification.test_rows import LabelledRows
from ml_code.verification.verify import summary, verify_version

if TYPE_CHECKING:
    from types_boto3_sagemaker import SageMakerClient

if TYPE_CHECKING:
    from mlflow import MlflowClient


# Public reports say that these images do not start on serverless endpoints in script mode; ours is not script mode.
SERVERLESS_HINT = (
    ". If its log shows that the container cannot start on a serverless endpoint, use instances: "
    "factory.production.type and factory.staging.type realtime and small instance types, "
    "such as ml.t2.medium, in cdk.json"
)


class ReleaseError(Exception):
    """The endpoint serves what it served before; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """The reason of a release to production, and its approver."""

    reason: str
    approved_by: str
    delivery: str  # CodePipeline's execution; empty when a person releases


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """One version on its way to one endpoint."""

    client: "MlflowClient"
    version: RegisteredVersion
    test_rows: LabelledRows
    settings: ReleaseSettings
    spec: ModelSpec
    deployment: Deployment
    records: Records
    promotion: Promotion | None  # None: not to production
    archive: PinnedArchive

    def run(self) -> dict[str, Any]:
        """Deploy, verify and record: the report of the verification."""
        sagemaker = boto3.client("sagemaker")
        name, endpoint_settings = self.deployment.endpoint_name, self.deployment.endpoint_settings
        probe = self._traffic_probe()
        waiter = Waiter(say=say, max_wait_seconds=endpoint_settings.max_wait_seconds)
        previous = find_deployed(sagemaker, name, waiter)
        _refuse_other_mode(name, previous, endpoint_settings)
        with self._scaling_stopped(previous):
            try:
                watching = replace(waiter, meanwhile=probe.look)
                endpoint_arn = put(sagemaker, self.deployment, previous, watching)
            except DeploymentError as error:
                probe.look("InService")
                is_first = previous is None and isinstance(endpoint_settings, Serverless)
                hint = SERVERLESS_HINT if is_first else ""
                raise ReleaseError(_with_alarms(str(error), probe) + hint) from error
            self._say_answers(probe)
            try:
                if probe.error:
                    raise VerificationError(f"the update could not be watched: {probe.error}")
                verification = self._verify()
                if self.promotion:
                    self._promote(self.promotion, verification)
            except Exception as error:
                self._undo(sagemaker, previous, waiter, error)
        if previous is not None:
            sagemaker.add_tags(ResourceArn=endpoint_arn, Tags=tag_list(self.deployment.tags))
            remove(sagemaker, previous)
            say(f"removed {previous.config_name}, which {name} used before")
        return verification

    def _traffic_probe(self) -> TrafficProbe:
        return TrafficProbe(
            runtime=boto3.client("sagemaker-runtime"),
            cloudwatch=boto3.client("cloudwatch"),
            endpoint=self.deployment.endpoint_name,
            version=self.version.version,
            test_rows=self.test_rows,
            spec=self.spec,
            alarms=self.deployment.endpoint_settings.alarms,
        )

    @contextmanager
    def _scaling_stopped(self, previous: DeployedConfig | None) -> Iterator[None]:
        """Suspend scaling during an update; resume it afterwards, also after a rollback, unless the endpoint still updates."""
        name, endpoint_settings = self.deployment.endpoint_name, self.deployment.endpoint_settings
        if isinstance(endpoint_settings, Serverless):
            yield
            return
        autoscaling = boto3.client("application-autoscaling")
        if previous is not None:
            stop_scaling(autoscaling, name)
        try:
            yield
        except StillUpdatingError:
            raise
        except Exception:
            if previous is not None and endpoint_settings.is_scaled:
                start_scaling(autoscaling, name, endpoint_settings)
            raise
        if endpoint_settings.is_scaled:
            start_scaling(autoscaling, name, endpoint_settings)

    def _say_answers(self, probe: TrafficProbe) -> None:
        if probe.answers:
            counts = ", ".join(
                f"{rows} by version {number}" for number, rows in sorted(probe.answers.items())
            )
            say(f"rows answered during the update: {counts}; requests that failed: {probe.failures}")

    def _verify(self) -> dict[str, Any]:
        result = verify_version(self.client, self.version, self.test_rows, self.settings, self.spec)
        if not result["passed"]:
            raise VerificationError(f"below the gate: {summary(result)}")
        say(summary(result))
        return result

    def _promote(self, promotion: Promotion, verification: dict[str, Any]) -> None:
        newest = self.records.newest()
        lineage = asdict(self.version)
        release = Release(
            model=lineage.pop("name"),
            **lineage,
            previous=newest.version if newest else "",
            **asdict(promotion),
            archive_uri=self.archive.uri,
            archive_sha256=self.archive.sha256,
            test_rows_sha256=self.archive.test_rows_sha256,
            metric=verification["metric"],
            value=verification["value"],
            released_at=utc_now(),
        )
        promote(self.client, self.records, release)
        say(
            f"{release.model} version {release.version} is in production; before it: {release.previous or 'none'}"
        )

    def _undo(
        self, sagemaker: "SageMakerClient", previous: DeployedConfig | None, waiter: Waiter, error: Exception
    ) -> NoReturn:
        name = self.deployment.endpoint_name
        what = f"{self.version.name} version {self.version.version} is not released to {name}: {error}"
        say(f"{what}; putting back what was there")
        try:
            put_back(sagemaker, self.deployment, previous, waiter)
        except (ClientError, DeploymentError, StillUpdatingError) as second:
            raise ReleaseError(
                f"{what}. Restoring {name} failed, too ({second}): look at it in the SageMaker console"
            ) from error
        now = f"{name} uses {previous.config_name} again" if previous else f"{name} is removed again"
        raise ReleaseError(f"{what}; {now}") from error


def say(line: str) -> None:
    print(line, flush=True)


def _refuse_other_mode(
    name: str, previous: DeployedConfig | None, endpoint_settings: Serverless | Realtime
) -> None:
    if previous is not None and previous.is_serverless != isinstance(endpoint_settings, Serverless):
        raise ReleaseError(
            f"endpoint {name} is {'serverless' if previous.is_serverless else 'realtime'}, the settings want the "
            "other mode, and SageMaker could not undo that change: delete the endpoint when no one needs it "
            f"(aws sagemaker delete-endpoint --endpoint-name {name}) and release again"
        )


def _with_alarms(reason: str, probe: TrafficProbe) -> str:
    unnamed = [name for name in probe.raised_alarms if name not in reason]
    if not unnamed:
        return reason
    return f"{reason} (alarm {', '.join(unnamed)} went off during the update)"
