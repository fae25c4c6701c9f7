"""Runs the tests of models: once, until the files that they test change."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from ml_code.contracts import Prefix, Variable
from ml_code.execution.content import content_hash
from ml_code.execution.objects import exists
from ml_code.spec import MODELS

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

TESTS = Path("tests/model")
# What they test, besides the model's folder.
INPUTS = ("ml_code", "pyproject.toml", "requirements-build.lock", "tests/conftest.py", TESTS.as_posix())


def failing_models(s3: "S3Client", bucket: str, models: Sequence[str]) -> set[str]:
    """The models whose tests fail; those that passed before for the same content are not tested again."""
    keys = {model: _key(model) for model in models}
    open_ones = [model for model in models if not exists(s3, bucket, keys[model])]
    for model in models:
        if model not in open_ones:
            print(f"{TESTS} passed before for the same {model}: not run again", flush=True)
    failed = _run(open_ones) if open_ones else set()
    for model in open_ones:
        if model not in failed:
            s3.put_object(Bucket=bucket, Key=keys[model], Body=b"")
    return failed


def _key(model: str) -> str:
    return f"{Prefix.ASSERTIONS}models/{content_hash(Path(), [(MODELS / model).as_posix(), *INPUTS])}"


def _run(models: Sequence[str]) -> set[str]:
    """One run for all of them; a failure that is no model's own counts for each."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", str(TESTS)],
            env={**os.environ, Variable.MODEL_NAMES: ",".join(models)},
            check=False,
        )
        if done.returncode == 0:
            return set()
        return _failed(report, models) if report.exists() else set(models)


def _failed(report: Path, models: Iterable[str]) -> set[str]:
    cases = ElementTree.parse(report).iter("testcase")  # noqa: S314 (pytest's own file)
    names = [case.get("name", "") for case in cases if {"error", "failure"} & {part.tag for part in case}]
    failed = {model for model in models if any(name.endswith(f"[{model}]") for name in names)}
    has_others = any(not name.endswith(tuple(f"[{model}]" for model in models)) for name in names)
    return set(models) if has_others or not failed else failed
