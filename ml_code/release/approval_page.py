"""The page that a person reads before approving, made by the deployed code of records and measurements, not of the push."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from ml_code.contracts import PRODUCTION, Variable, endpoint_name
from ml_code.release.archives import PinnedArchive
from ml_code.release.delivery_record import DeliveryRecord
from ml_code.release.pushed_code import PushedCode, read_pushed_code
from ml_code.release.records import Records, Release, alias_fault
from ml_code.release.settings import ReleaseSettings
from ml_code.release.training_cost import cost_of_definition, estimate_cost
from ml_code.s3_uri import bucket_and_key
from ml_code.spec import Gate, ModelSpec
from ml_code.tracking.model_registry import RegisteredVersion
from ml_code.verification.invoke import VerificationError, predict
from ml_code.verification.report_html import add_section
from ml_code.verification.report_link import object_url
from ml_code.verification.test_rows import LabelledRows
from ml_code.verification.verify import PAGE
from ml_code.write_once import put_once

if TYPE_CHECKING:
    from mlflow import MlflowClient

# What the build's shell reads, for the variables that CodePipeline keeps.
RESULT_FILE = Path("release-result.env")
SUMMARY_CHARACTERS = 700  # CodePipeline takes 1,000 for the whole of an approval's text
MOST_CHANGES = 200


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """The version at the staging endpoint, beside the one in production, if any."""

    version: RegisteredVersion
    archive: PinnedArchive
    spec: ModelSpec
    value: float  # of the gate's metric, at the staging endpoint
    production: Release | None
    production_value: str  # on the same rows, or why there is none
    production_gate: Gate | None
    changes: list[str]  # of the code that trained
    author: str
    cost: str  # of the training, estimated after it
    cost_limit: str
    owners: str

    @property
    def gate_change(self) -> str:
        if self.production_gate is None:
            return "first release, nothing to compare with"
        before, now = self.production_gate.model_dump(), self.spec.gate.model_dump()
        changed = [f"{name} {before[name]} to {now[name]}" for name in now if before[name] != now[name]]
        return f"CHANGED: {', '.join(changed)}" if changed else "not changed"

    @property
    def summary(self) -> str:
        """One line for the approval in CodePipeline."""
        text = (
            f"version {self.version.version} of {self.version.name}, commit {self.version.commit[:12]}"
            f"{f' by {self.author}' if self.author else ''}; {self.spec.gate.metric} {self.value:.4f}, production: "
            f"{self.production_value}; gate: {self.gate_change}; {len(self.changes)} files of the training code differ; "
            f"archive SHA-256 {self.archive.sha256}"
        )
        return "".join(character if character.isprintable() else " " for character in text)[
            :SUMMARY_CHARACTERS
        ]

    def facts(self, delivery: DeliveryRecord, registry_fault: str) -> dict[str, str]:
        """The page's lines by their labels, in order."""
        gate = self.spec.gate
        faults = {"FAULT": registry_fault} if registry_fault else {}
        return {
            **faults,
            "delivery": delivery.execution,
            "commit": self.version.commit,
            "message": delivery.message,
            "author, as the commit says": self.author or "see the commit at its host",
            "owners": self.owners or "none",
            "version": f"{self.version.name} {self.version.version}",
            f"{gate.metric} at the staging endpoint": f"{self.value:.4f}",
            f"{gate.metric} of production on the same rows": self.production_value,
            "gate": f"{gate.text}, mode {gate.mode}",
            "gate compared with production's": self.gate_change,
            "archive SHA-256": self.archive.sha256,
            "test rows SHA-256": self.archive.test_rows_sha256,
            "cost of the training, estimated by its seconds": self.cost,
            "cost of the training, limited by its settings": self.cost_limit,
            "files of the training code that differ": str(len(self.changes)),
        }


def request_approval(
    client: "MlflowClient",
    settings: ReleaseSettings,
    delivery: DeliveryRecord,
    version: RegisteredVersion,
    archive: PinnedArchive,
    code: PushedCode,
    test_rows: LabelledRows,
    verification: Mapping[str, Any],
) -> None:
    """Publish the page beside the archive, once, and export what CodePipeline shows and Production takes over."""
    s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
    production = Records(s3=s3, bucket=settings.artifact_bucket, model=version.name).newest()
    spec = code.spec(settings.model_name)
    before = read_pushed_code(s3, production.code_uri) if production else None
    candidate = Candidate(
        version=version,
        archive=archive,
        spec=spec,
        value=verification["value"],
        production=production,
        production_value=_production_value(settings, production, test_rows, spec),
        production_gate=before.spec(settings.model_name).gate if before else None,
        changes=code.changes_since(before) if before else [],
        author=_author(delivery),
        owners=settings.owners_text,
        cost=estimate_cost(sagemaker, version.execution_arn),
        cost_limit=cost_of_definition(sagemaker, version.execution_arn),
    )
    fault = alias_fault(client, version.name, production)
    more = len(candidate.changes) - MOST_CHANGES
    lines = [*candidate.changes[:MOST_CHANGES], *([f"and {more} more"] if more > 0 else [])]
    add_section(PAGE, "What is to be approved", candidate.facts(delivery, fault), lines)
    name = f"approval-{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}-{delivery.execution}.html"
    bucket, key = bucket_and_key(f"{archive.folder}/{name}")
    put_once(s3, bucket, key, PAGE.read_bytes())
    print(f"approval: {candidate.summary}", flush=True)
    write_exports(
        {
            Variable.APPROVAL_SUMMARY: candidate.summary,
            Variable.ARCHIVE_SHA256: archive.sha256,
            Variable.TEST_ROWS_SHA256: archive.test_rows_sha256,
            Variable.VERIFICATION_URL: object_url(bucket, key),
        }
    )


def write_exports(values: Mapping[str, str]) -> None:
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in values.items()]
    RESULT_FILE.write_text("".join(lines), encoding="utf-8")


def _production_value(
    settings: ReleaseSettings, production: Release | None, test_rows: LabelledRows, spec: ModelSpec
) -> str:
    from ml_code.metrics import measure_answers  # scikit-learn takes a second to import

    if production is None:
        return "no version yet"
    endpoint = endpoint_name(settings.resource_prefix, PRODUCTION)
    try:
        version, answers = predict(boto3.client("sagemaker-runtime"), endpoint, test_rows)
    except VerificationError as error:
        return f"version {production.version} could not be asked: {error}"
    if version != production.version:
        return (
            f"FAULT: {endpoint} answers as version {version}, the newest release is of {production.version}"
        )
    metrics = measure_answers(spec, test_rows.truth, answers.predictions, answers.probabilities)
    if spec.gate.metric not in metrics:
        return f"version {version} predicts other classes"
    return f"{metrics[spec.gate.metric]:.4f} (version {version})"


def _author(delivery: DeliveryRecord) -> str:
    """CodePipeline's record has no author; CodeCommit has one, other hosts show it at the commit."""
    if not delivery.repository:
        return ""
    answer = boto3.client("codecommit").get_commit(
        repositoryName=delivery.repository, commitId=delivery.commit
    )
    author = answer["commit"]["author"]
    return f"{author['name']} <{author['email']}>"
