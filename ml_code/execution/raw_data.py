"""The raw data of a model in the data bucket."""

import hashlib
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ml_code import raw_files
from ml_code.contracts import Prefix, of_model
from ml_code.execution.run_settings import RunError
from ml_code.pipeline.compute import Compute
from ml_code.raw_files import RawFileError
from ml_code.spec import sample_data

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


# What the steps keep on their volumes at least, as multiples of the raw files' bytes: Preprocess the files and the parts; the
# others the parts.
PREPROCESS_FACTOR, PARTS_FACTOR = 2, 1
BYTES_PER_GB = 10**9


class RawObject(NamedTuple):
    """An object of raw data."""

    key: str
    tag: str
    byte_count: int


def provide_data(s3: "S3Client", bucket: str, prefix: str, model: str, compute: Compute) -> str:
    """Return the version of the data under the prefix. If the model's own prefix is empty, upload the sample data first.

    RunError of data that do not fit the volumes of the jobs.
    """
    objects, own = list_objects(s3, bucket, prefix), of_model(Prefix.RAW_DATA, model)
    uri = f"s3://{bucket}/{prefix}"  # quoted in the log: a prefix may have any character
    if not objects and prefix != own:
        raise RunError(f"no data under {uri!r}: put it there, or train on {own}")
    if not objects:
        _refuse_loose(s3, bucket, own)
        for name, path in sample_data(name=model).items():
            s3.upload_file(str(path), bucket, f"{own}{name}")
        # S3 tells whole seconds: now the execution starts in a later one, and the data is not new to its trigger.
        time.sleep(1.1)
        print(f"uploaded the sample data to s3://{bucket}/{own}", flush=True)
        objects = list_objects(s3, bucket, prefix)
    _require_volumes([found.byte_count for found in objects], compute, uri)
    print(f"training on {len(objects)} objects of {uri!r}", flush=True)
    return version_of(objects)


def version_of(objects: Sequence[RawObject]) -> str:
    """A hash of keys and entity tags."""
    return hashlib.sha256(json.dumps([(found.key, found.tag) for found in objects]).encode()).hexdigest()


def _require_volumes(sizes: Sequence[int], compute: Compute, uri: str) -> None:
    """RunError names the first step whose volume is too small for its share of the data in any case."""
    total, largest = sum(sizes), max(sizes, default=0)
    preprocess_bytes = max(largest, total / compute.preprocess.instance_count) * PREPROCESS_FACTOR
    needs = {
        "preprocess": (compute.preprocess.volume_gb, preprocess_bytes),
        "training": (compute.training.volume_gb, total / compute.training.instance_count * PARTS_FACTOR),
        "evaluate": (compute.evaluate.volume_gb, total * PARTS_FACTOR),
    }
    for step, (volume_gb, byte_count) in needs.items():
        if byte_count > volume_gb * BYTES_PER_GB:
            raise RunError(
                f"the {total / BYTES_PER_GB:,.1f} GB under {uri!r} need about {byte_count / BYTES_PER_GB:,.0f} GB of each "
                f"{step} instance, and compute.{step}.volume_gb is {volume_gb}; raise it and deploy, or train on fewer data"
            )


def list_objects(s3: "S3Client", bucket: str, prefix: str) -> list[RawObject]:
    """The objects that are data; what the job would refuse is refused here."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    objects = [
        RawObject(found["Key"], found["ETag"], found["Size"])
        for page in pages
        for found in page.get("Contents", [])
    ]
    folder = prefix.rpartition("/")[0]
    names = {found.key: found.key.removeprefix(f"{folder}/") for found in objects}
    try:
        files = raw_files.select(names.values())
    except RawFileError as error:
        raise RunError(f"{f's3://{bucket}/{folder}/'!r}: {error}") from None
    if files.left_out:
        print(files.remark, flush=True)
    data = set(files.data)
    return [found for found in objects if names[found.key] in data]


def _refuse_loose(s3: "S3Client", bucket: str, own: str) -> None:
    """Data of a factory from before it held several models: the sample must not be trained instead."""
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=Prefix.RAW_DATA, Delimiter="/")
    loose = [found["Key"] for found in listed.get("Contents", []) if found["Key"] != Prefix.RAW_DATA]
    if loose:
        raise RunError(
            f"s3://{bucket}/{own} is empty, but s3://{bucket}/{Prefix.RAW_DATA} has data of no model, such as {loose[0]!r}: "
            f'aws s3 mv s3://{bucket}/{Prefix.RAW_DATA} s3://{bucket}/{own} --recursive --exclude "*/*"'
        )
