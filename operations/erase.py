"""Erases one person's rows: `make erase KEY=<column> VALUE=<value>` says where they are, `YES=1` erases them.

In raw data, their copies in training executions and in MLflow, captured requests, scored files, and the rows that releases
are verified with; old versions of objects included. It works with the caller's own rights: no role of the factory may do this.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import boto3

from ml_code.contracts import BATCH, ENDPOINT_STAGES, PRODUCTION, Output, Prefix, of_model, serving_prefix
from ml_code.raw_files import PARQUET
from ml_code.spec import load_spec
from operations.errors import OperationError, run
from operations.factory import Factory, Model, add_model_argument, deployed_factory
from operations.personal_rows import (
    Edit,
    Person,
    UnreadableError,
    whole_document,
    without_parquet_rows,
    without_requests,
    without_rows,
)

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

INPUT_EXAMPLES = ("input_example.json", "serving_input_example.json")
# Of a run: they show some of its test rows.
REPORTS = ("verification.html", "verification.png")
RESULTS = ("bad_rows.csv", "predictions.csv")


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version of an object; a bucket without versions has one of each, with the id null."""

    bucket: str
    key: str
    id: str
    is_current: bool

    @property
    def name(self) -> str:
        return PurePosixPath(self.key).name

    @property
    def folder(self) -> str:
        return self.key.rpartition("/")[0]

    def __str__(self) -> str:
        """The quoted address: a key may have any character, the end of a line too."""
        old = "" if self.is_current else f" (old version {self.id})"
        return f"{f's3://{self.bucket}/{self.key}'!r}{old}"


@dataclass(kw_only=True)
class Erasure:
    """A walk through the buckets. Without `does_it` nothing is changed."""

    model: Model
    person: Person
    does_it: bool
    say: Callable[[str], None]
    s3: "S3Client" = field(default_factory=lambda: boto3.client("s3"))
    rows: int = 0
    objects: int = 0
    unread: list[str] = field(default_factory=list)
    """The files that could not be searched."""

    def find_person(self, data_bucket: str) -> None:
        """Collect the person's raw rows, to find their copies in files without the key column."""
        for version in self._versions(data_bucket, self._own(Prefix.RAW_DATA)):
            if edit := self._edit(version, _raw):
                with_key = [row for row in edit.erased if self.person.column in row]
                self.person = self.person.with_rows(with_key)

    def erase_data(self, bucket: str) -> None:
        self._erase(bucket, self._own(Prefix.RAW_DATA), _raw)
        self._erase_batches(bucket)

    def erase_artifacts(self, bucket: str) -> None:
        self._erase(bucket, self._own(Prefix.RUNS), _copies)
        self._erase_tracked(bucket)
        self._erase(bucket, f"{Prefix.CAPTURED}{self.model.endpoint(PRODUCTION)}/", _captured)
        archives = [serving_prefix(owner, self.model.name) for owner in (*ENDPOINT_STAGES, BATCH)]
        if pinned := [each for prefix in archives for each in self._erase(bucket, prefix, _pinned)]:
            self.say(
                f"{len(pinned)} releases have no test rows any more: each can serve on, but neither be verified nor "
                "rolled back to; train again"
            )
            folders = {each.folder for each in pinned}
            for each in [each for prefix in archives for each in self._versions(bucket, prefix)]:
                if each.folder in folders and each.name.endswith(".html"):
                    self._delete(each, "shows rows of the test data to the approver")

    def _own(self, prefix: str) -> str:
        return of_model(prefix, self.model.name)

    def _erase_batches(self, bucket: str) -> None:
        """Results name rows by number: without the input's row they would name another's."""
        versions = list(self._versions(bucket, self._own(Prefix.BATCH)))
        inputs = [each for each in versions if not each.name.endswith(".out") and each.name not in RESULTS]
        touched = {each.name for each in inputs if self._change(each, _scored)}
        folders = {each.folder for each in versions if each.name.removesuffix(".out") in touched}
        for each in versions:
            is_answers = each.name.endswith(".out") and each.name.removesuffix(".out") in touched
            if is_answers or (each.name in RESULTS and each.folder in folders):
                self._delete(each, "results of rows that are gone")

    def _erase_tracked(self, bucket: str) -> None:
        touched = {each.folder for each in self._erase(bucket, Prefix.MLFLOW, _copies)}
        for each in list(self._versions(bucket, Prefix.MLFLOW)):
            if each.name in REPORTS and any(each.key.startswith(f"{folder}/") for folder in touched):
                self._delete(each, "shows rows of the test data")

    def _erase(self, bucket: str, prefix: str, kind: "Kind") -> list[Version]:
        """Erase the person's rows; return the lines about the objects that held some."""
        return [each for each in list(self._versions(bucket, prefix)) if self._change(each, kind)]

    def _change(self, version: Version, kind: "Kind") -> bool:
        edit = self._edit(version, kind)
        if not edit or not edit.erased:
            return False
        self.rows += len(edit.erased)
        if version.is_current and edit.content is not None:
            self._count(version, f"{len(edit.erased)} of its rows or requests")
            if self.does_it:
                self._replace(version, edit.content)
        else:
            self._delete(version, f"{len(edit.erased)} rows or requests")
        return True

    def _edit(self, version: Version, kind: "Kind") -> Edit | None:
        edit = kind(version)
        if edit is None:
            return None
        body = self.s3.get_object(Bucket=version.bucket, Key=version.key, VersionId=version.id)["Body"].read()
        try:
            return edit(body, self.person)
        except UnreadableError as error:
            line = f"{version}: {error}"
            if line not in self.unread:
                self.unread.append(line)
            return None

    def _replace(self, version: Version, content: bytes) -> None:
        written = self.s3.put_object(Bucket=version.bucket, Key=version.key, Body=content)
        if written.get("VersionId", version.id) != version.id:
            self.s3.delete_object(Bucket=version.bucket, Key=version.key, VersionId=version.id)

    def _delete(self, version: Version, why: str) -> None:
        self._count(version, f"as a whole: {why}")
        if self.does_it:
            self.s3.delete_object(Bucket=version.bucket, Key=version.key, VersionId=version.id)

    def _count(self, version: Version, what: str) -> None:
        self.objects += 1
        self.say(f"{'erased' if self.does_it else 'found'} {version}, {what}")

    def _versions(self, bucket: str, prefix: str) -> Iterator[Version]:
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        for page in pages:
            for each in page.get("Versions", []):
                if not each["Key"].endswith("/"):
                    yield Version(
                        bucket=bucket, key=each["Key"], id=each["VersionId"], is_current=each["IsLatest"]
                    )


# How to read a version, if it can have rows at all.
Kind = Callable[[Version], Callable[[bytes, Person], Edit] | None]


def _raw(_version: Version) -> Callable[[bytes, Person], Edit]:
    return _without_rows


def _without_rows(content: bytes, person: Person) -> Edit:
    if content.startswith(PARQUET):
        return without_parquet_rows(content, person)
    return without_rows(content, person, has_header=person.schema.dialect.header)


def _copies(version: Version) -> Callable[[bytes, Person], Edit] | None:
    if version.name in INPUT_EXAMPLES:
        return whole_document
    return _raw(version) if version.name.endswith((".csv", ".csv.gz", ".parquet")) else None


def _scored(_version: Version) -> Callable[[bytes, Person], Edit]:
    return lambda content, person: without_rows(content, person, has_header=False)


def _captured(_version: Version) -> Callable[[bytes, Person], Edit]:
    return without_requests


def _pinned(version: Version) -> Callable[[bytes, Person], Edit] | None:
    """An edit that deletes the object: nothing may be overwritten there."""
    if not version.name.endswith(".csv"):
        return None
    return lambda content, person: Edit(erased=_raw(version)(content, person).erased, content=None)


def erase(
    factory: Factory, model: Model, person: Person, *, does_it: bool, say: Callable[[str], None]
) -> Erasure:
    data, artifacts = (
        factory.output(name) for name in (Output.DATA_BUCKET_NAME, Output.ARTIFACT_BUCKET_NAME)
    )
    erasure = Erasure(model=model, person=person, does_it=does_it, say=say)
    erasure.find_person(data)
    erasure.erase_artifacts(artifacts)
    # Last: by its rows the copies are found, should this be interrupted and run again.
    erasure.erase_data(data)
    return erasure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--key", required=True, help="the column that names people")
    parser.add_argument("--value", required=True, help="the person's value in it")
    add_model_argument(parser)
    parser.add_argument("--yes", action="store_true", help="erase, and not only say where the rows are")
    arguments = parser.parse_args()
    for name in ("key", "value"):
        if not getattr(arguments, name).strip():
            raise OperationError(f"{name.upper()} is empty: make erase KEY=<column> VALUE=<value>")
    factory = deployed_factory()
    model = factory.model(arguments.model)
    spec = load_spec(name=model.name)
    person = Person(
        column=arguments.key,
        value=arguments.value,
        schema=spec.request_schema(),
        file_schema=spec.file_schema(),
    )
    done = erase(factory, model, person, does_it=arguments.yes, say=lambda line: print(line, flush=True))
    for line in done.unread:
        print(f"not searched {line}")
    if not done.objects:
        print(f"No row has {arguments.value!r} in {arguments.key!r}.")
        return
    print(
        f"{done.rows} rows and requests in {done.objects} objects{'' if arguments.yes else ', nothing changed yet'}."
    )
    if not arguments.yes:
        print("make erase … YES=1 erases them.")
        return
    print(
        "Models that learned from the rows serve on: make run REASON=erasure trains without them. Not searched: git, logs "
        "(retention.log_days), your own copies."
    )


if __name__ == "__main__":
    run(main)
