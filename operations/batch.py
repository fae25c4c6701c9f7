"""Scores a CSV file with a registered version: `make batch INPUT=rows.csv`, `make batch INPUT=s3://… VERSION=3`.

Writes predictions.csv and bad_rows.csv, both with the numbers of the input's rows, into this folder and beside
the job's own answers in S3.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import boto3

from ml_code.contracts import BATCH, PRODUCTION, JobLogs, Output, Variable
from ml_code.execution.pipeline_execution import last_log_lines
from ml_code.inference import transform_job
from ml_code.inference.transform_job import Batch, BatchError, BatchSettings, Scored
from ml_code.raw_files import GZIP
from ml_code.release import archives
from ml_code.release.archives import PinnedArchive
from ml_code.s3_uri import bucket_and_key
from ml_code.tracking import model_registry
from ml_code.tracking.model_registry import RegisteredVersion
from operations import objects
from operations.errors import OperationError, run
from operations.factory import (
    BEFORE_PRODUCTION,
    Factory,
    Model,
    add_model_argument,
    deploy_environment,
    deployed_factory,
    mlflow_client,
    release_records,
)

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PREDICTIONS, BAD_ROWS = "predictions.csv", "bad_rows.csv"
SHOWN_BAD_ROWS = 5
HEAD_BYTES = 1024


def plan(
    factory: Factory,
    model: Model,
    environment: Mapping[str, str],
    source: str,
    version: str,
    instance_type: str,
) -> Batch:
    """Take the archive that was released, or publish that of a version which never was; and a file here."""
    from ml_code.release.deploy import lineage_tags

    settings = BatchSettings(**json.loads(environment[Variable.BATCH_SETTINGS]))
    found, archive = _archive(factory, model, version)
    content = archives.read(boto3.client("s3"), archive)
    job = transform_job.batch_name(settings, found.version)
    folder = f"{settings.uri}{job}/"
    return Batch(
        name=job,
        input_uri=input_uri(source, settings, folder),
        output_uri=folder,
        image_uri=environment[Variable.IMAGE_URI],
        instance_type=instance_type,
        model_data_url=archive.uri,
        model_manifest_sha256=content.manifest_sha256,
        tags={**json.loads(environment[Variable.TAGS]), **lineage_tags(factory.name, found)},
        settings=settings,
    )


def _archive(factory: Factory, model: Model, version: str) -> tuple[RegisteredVersion, PinnedArchive]:
    client, releases = mlflow_client(factory), release_records(factory, model).read()
    chosen = [release for release in releases if not version or release.version == version]
    if chosen:
        return chosen[-1].registered, archives.released(chosen[-1])
    if not version:
        raise OperationError(f"Nothing to score with: no version is in production. {BEFORE_PRODUCTION}")
    bucket = factory.output(Output.ARTIFACT_BUCKET_NAME)
    try:
        found = model_registry.resolve(client, f"models:/{model.name}/{version}")
        content = archives.build(client, found)
    except model_registry.RegistryError as error:
        raise OperationError(f"Nothing to score with: {error}. {BEFORE_PRODUCTION}") from error
    return found, archives.publish(boto3.client("s3"), bucket, BATCH, found, content)


def input_uri(source: str, settings: BatchSettings, folder: str) -> str:
    s3 = boto3.client("s3")
    if not source.startswith("s3://"):
        path = Path(source)
        if not path.is_file():
            raise OperationError(f"INPUT is {source!r}, allowed is a CSV file or an s3:// address of one.")
        with path.open("rb") as file:
            _check_text(source, file.read(HEAD_BYTES))
        uri = f"{folder}{path.name}"
        s3.upload_file(str(path), *bucket_and_key(uri))
        return uri
    if not source.startswith(settings.uri):
        raise OperationError(
            f"INPUT is {source}, but transform jobs of this factory may read below {settings.uri} only: "
            f"aws s3 cp {source} {settings.uri}"
        )
    if not objects.exists(source):
        raise OperationError(f"INPUT is {source}, where there is no object.")
    bucket, key = bucket_and_key(source)
    with s3.get_object(Bucket=bucket, Key=key)["Body"] as body:
        _check_text(source, body.read(HEAD_BYTES))
    return source


def _check_text(source: str, head: bytes) -> None:
    """A transform job would cut a compressed file, or one of UTF-16, into lines that are none."""
    if head.startswith(GZIP) or b"\0" in head:
        raise OperationError(
            f"INPUT {source} is compressed, or its text is not UTF-8: unpack it, or save it as CSV in UTF-8."
        )


def collect(planned: Batch, answers_uri: str, directory: Path) -> Scored:
    """Write the results; BatchError unless each line of the input has its answer."""
    s3: S3Client = boto3.client("s3")
    with TemporaryDirectory() as temporary:
        given, answers = Path(temporary) / "input", Path(temporary) / "answers"
        s3.download_file(*bucket_and_key(planned.input_uri), str(given))
        s3.download_file(*bucket_and_key(answers_uri), str(answers))
        transform_job.check_complete(given, answers)
        with (
            answers.open(encoding="utf-8") as lines,
            (directory / PREDICTIONS).open("w", newline="", encoding="utf-8") as predictions,
            (directory / BAD_ROWS).open("w", newline="", encoding="utf-8") as bad_rows,
        ):
            scored = transform_job.write_results(lines, predictions, bad_rows)
    for name in (PREDICTIONS, BAD_ROWS):
        s3.upload_file(str(directory / name), *bucket_and_key(f"{planned.output_uri}{name}"))
    return scored


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True)
    parser.add_argument("--version", default="", help="of the model; without it, the one in production")
    parser.add_argument("--instance-type", default="ml.m5.large")
    parser.add_argument("--output-dir", type=Path, default=Path())
    add_model_argument(parser)
    arguments = parser.parse_args()
    factory = deployed_factory()
    model = factory.model(arguments.model)
    environment = deploy_environment(model, PRODUCTION)
    planned = plan(factory, model, environment, arguments.input, arguments.version, arguments.instance_type)
    try:
        answers_uri = transform_job.score(
            boto3.client("sagemaker"), planned, say=lambda line: print(line, flush=True)
        )
        scored = collect(planned, answers_uri, arguments.output_dir)
    except BatchError as error:
        log = last_log_lines(boto3.client("logs"), JobLogs.TRANSFORM, planned.name)
        raise OperationError("\n".join([str(error), *log])) from error
    print(
        f"{scored.predictions:,} predictions in {PREDICTIONS}, {len(scored.bad_rows):,} bad rows in {BAD_ROWS}"
    )
    for number, reason in scored.bad_rows[:SHOWN_BAD_ROWS]:
        print(f"  row {number}: {reason}")
    if len(scored.bad_rows) > SHOWN_BAD_ROWS:
        print(f"  and {len(scored.bad_rows) - SHOWN_BAD_ROWS:,} more")
    print(f"both are in {planned.output_uri} as well")
    if not scored.predictions:
        raise OperationError(f"No row of {arguments.input} could be scored: see {BAD_ROWS}.")


if __name__ == "__main__":
    run(main)
