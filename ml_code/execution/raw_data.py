"""The raw data of a model in the data bucket."""

import hashlib
import json
import time
from typing import TYPE_CHECKING

from ml_code import raw_files
from ml_code.contracts import Prefix, of_model
from ml_code.execution.run_settings import RunError
from ml_code.raw_files import RawFileError
from ml_code.spec import sample_data

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client


def provide_data(s3: "S3Client", bucket: str, prefix: str, model: str) -> str:
    """The version of the data under the prefix; the model's sample data goes to its own when there is none."""
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
    print(f"training on {len(objects)} objects of {uri!r}", flush=True)
    return version_of(objects)


def version_of(objects: list[tuple[str, str]]) -> str:
    """A hash of keys and entity tags."""
    return hashlib.sha256(json.dumps(objects).encode()).hexdigest()


def list_objects(s3: "S3Client", bucket: str, prefix: str) -> list[tuple[str, str]]:
    """Key and entity tag of each object that is data; what the job would refuse is refused here."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    tags = {found["Key"]: found["ETag"] for page in pages for found in page.get("Contents", [])}
    folder = prefix.rpartition("/")[0]
    names = {key: key.removeprefix(f"{folder}/") for key in tags}
    try:
        files = raw_files.select(names.values())
    except RawFileError as error:
        raise RunError(f"{f's3://{bucket}/{folder}/'!r}: {error}") from None
    if files.left_out:
        print(files.remark, flush=True)
    data = set(files.data)
    return [(key, tag) for key, tag in tags.items() if names[key] in data]


def _refuse_loose(s3: "S3Client", bucket: str, own: str) -> None:
    """Data of a factory from before it held several models: the sample must not be trained instead."""
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=Prefix.RAW_DATA, Delimiter="/")
    loose = [found["Key"] for found in listed.get("Contents", []) if found["Key"] != Prefix.RAW_DATA]
    if loose:
        raise RunError(
            f"s3://{bucket}/{own} is empty, but s3://{bucket}/{Prefix.RAW_DATA} has data of no model, such as {loose[0]!r}: "
            f'aws s3 mv s3://{bucket}/{Prefix.RAW_DATA} s3://{bucket}/{own} --recursive --exclude "*/*"'
        )
