"""Brings a version to an endpoint, or leaves everything as it was: `python -m ml_code.release.release`.

In a delivery the version is the one that its Build registered; by hand, `--version 3` names it.

Put the version behind the endpoint beside what it replaces; verify it there by real invocations; only then remove
the old one and, in production, move the alias. Whatever fails on the way puts the old one back.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from ml_code.contracts import PRODUCTION, tag_list
from ml_code.release.delivery_record import read_approval, registered_version
from ml_code.release.deploy import plan_deployment, publish_archive
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
from ml_code.release.scaling import start_scaling, stop_scaling
from ml_code.release.settings import ReleaseSettings
from ml_code.release.traffic_probe import TrafficProbe
from ml_code.spec import ModelSpec, SpecError, load_spec
from ml_code.tracking import model_registry
from ml_code.tracking.model_registry import RegisteredVersion, RegistryError
from ml_code.tracking.model_uri import parse_model_uri
from ml_code.tracking.production_history import Promotion
from ml_code.tracking.promotion import promote
from ml_code.verification.invoke import VerificationError
from ml_code.verification.settings import read_settings
from ml_code.verification.test_rows import LabelledRows, load_test_rows
from ml_code.verification.verify import summary, verify_version

if TYPE_CHECKING:
    from mlflow import MlflowClient


# Public reports say that these images do not start on serverless endpoints in script mode; ours is not script mode.
SERVERLESS_HINT = (
    ". If its log shows that the container cannot start on a serverless endpoint, use instances: "
    "factory.endpoint_mode and factory.staging_endpoint_mode realtime and a small factory.endpoint_instance_type, "
    "such as ml.t2.medium, in cdk.json"
)


class ReleaseError(Exception):
    """The endpoint serves what it served before; the message says why."""


FAILURES = (
    ValueError,
    RegistryError,
    SpecError,
    DeploymentError,
    StillUpdatingError,
    ReleaseError,
    ClientError,
)


@dataclass(frozen=True, kw_only=True)
class Release:
    """One version on its way to one endpoint."""

    client: "MlflowClient"
    version: RegisteredVersion
    test_rows: LabelledRows
    settings: ReleaseSettings
    spec: ModelSpec
    deployment: Deployment
    promotion: Promotion | None  # None: not to production

    def run(self) -> None:
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
                self._verify()
                if self.promotion:
                    self._promote(self.promotion)
            except Exception as error:
                self._undo(sagemaker, previous, waiter, error)
        if previous is not None:
            sagemaker.add_tags(ResourceArn=endpoint_arn, Tags=tag_list(self.deployment.tags))
            remove(sagemaker, previous)
            say(f"removed {previous.config_name}, which {name} used before")

    def _traffic_probe(self) -> TrafficProbe:
        return TrafficProbe(
            runtime=boto3.client("sagemaker-runtime"),
            cloudwatch=boto3.client("cloudwatch"),
            endpoint=self.deployment.endpoint_name,
            version=self.version.version,
            test_rows=self.test_rows,
            gate=self.spec.gate,
            alarms=self.deployment.endpoint_settings.alarms,
        )

    @contextmanager
    def _scaling_stopped(self, previous: DeployedConfig | None) -> Iterator[None]:
        """Also after a rollback the endpoint scales again; not while it still updates."""
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

    def _verify(self) -> None:
        result = verify_version(self.client, self.version, self.test_rows, self.settings, self.spec.gate)
        if not result["passed"]:
            raise VerificationError(f"below the gate: {summary(result)}")
        say(summary(result))

    def _promote(self, promotion: Promotion) -> None:
        before = promote(self.client, self.version, promotion, datetime.now(UTC))
        say(
            f"{self.version.name} version {self.version.version} is in production; before it: {before or 'none'}"
        )

    def _undo(
        self, sagemaker: Any, previous: DeployedConfig | None, waiter: Waiter, error: Exception
    ) -> None:
        name = self.deployment.endpoint_name
        what = f"{self.version.name} version {self.version.version} is not released to {name}: {error}"
        say(f"{what}; putting back what was there")
        try:
            put_back(sagemaker, self.deployment, previous, waiter)
        except (ClientError, DeploymentError, StillUpdatingError) as second:
            raise ReleaseError(
                f"{what}; and what was there could not be put back ({second}): look at {name} in the "
                "SageMaker console"
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


def release(model_uri: str, settings: ReleaseSettings, spec: ModelSpec) -> None:
    client = model_registry.connect(settings.mlflow_tracking_uri)
    version = model_registry.resolve(client, model_uri)
    say(
        f"{model_uri} is {version.name} version {version.version}, run {version.run_id}, commit {version.commit}"
    )
    archive = publish_archive(client, version, settings.artifact_bucket, settings.stage)
    say(f"uploaded {archive}")
    promotion = read_approval(settings, archive) if settings.stage == PRODUCTION else None
    release_archive(client, version, archive, settings, spec, promotion)


def release_archive(
    client: "MlflowClient",
    version: RegisteredVersion,
    archive: str,
    settings: ReleaseSettings,
    spec: ModelSpec,
    promotion: Promotion | None,
) -> None:
    """`archive` is the S3 URI of what the endpoint gets."""
    Release(
        client=client,
        version=version,
        test_rows=load_test_rows(client, version, spec.target.name),
        settings=settings,
        spec=spec,
        deployment=plan_deployment(settings, version, archive),
        promotion=promotion,
    ).run()
    say(f"endpoint {settings.endpoint_name} serves {version.name} version {version.version}")


def main() -> None:
    try:
        settings, spec = read_settings(ReleaseSettings, os.environ), load_spec()
        if settings.delivery_execution:
            number = registered_version(
                boto3.client("codepipeline"), settings.factory_name, settings.delivery_execution
            )
            model_uri = f"models:/{spec.name}/{number}"
        else:
            model_uri = parse_model_uri("Release a registered model version to the stage's endpoint.")
        release(model_uri, settings, spec)
    except FAILURES as error:
        sys.exit(f"release: {error}")


if __name__ == "__main__":
    main()
