"""The assertion tests of the CDK app, run beside the training when what they test has changed since they passed.

A push of the model changes nothing of it, so it does not wait for them.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING

from ml_code.contracts import Prefix
from ml_code.execution.content import content_hash
from ml_code.execution.objects import exists
from ml_code.execution.pipeline_execution import Snapshot

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

TESTS = Path("tests/stacks")
# What the template and its tests are made of.
INPUTS = (
    ".gitignore",
    "app.py",
    "cdk.json",
    "codebuild-buildspec.yml",
    "deploy-buildspec.yml",
    "push-buildspec.yml",
    "ml_code/contracts.py",
    "ml_code/pipeline",
    "ml_code/requirements.txt",
    "ml_code/requirements-estimators.txt",
    "ml_code/requirements-without-image.txt",
    "ml_code/raw_files.py",
    "ml_code/search_space.py",
    "ml_code/spec",
    "ml_code/table",
    "ml_code/yaml_text.py",
    "package-lock.json",
    "pyproject.toml",
    "requirements-build.lock",
    "requirements-deploy.lock",
    "requirements.lock",
    "requirements.txt",
    "requirements-test.txt",
    "stacks",
    "tests/conftest.py",
    "tests/example_model.yaml",
    "tests/stacks",
)
SHOWN_LINES = 40


class AssertionsFailedError(Exception):
    """The CDK app of this commit does not pass its tests; the message ends with their output."""


@dataclass(kw_only=True)
class StackAssertions:
    """One run of the tests; `process` is None when there is nothing to run, or no more."""

    s3: "S3Client"
    bucket: str
    key: str
    output: IO[bytes]
    process: subprocess.Popen[bytes] | None

    def check(self) -> None:
        """Raise AssertionsFailedError once they have failed; remember for later commits that they passed."""
        if self.process is None or self.process.poll() is None:
            return
        exit_code, self.process = self.process.returncode, None
        if exit_code:
            self.output.seek(0)
            lines = self.output.read().decode(errors="replace").splitlines()[-SHOWN_LINES:]
            raise AssertionsFailedError("\n".join([f"{TESTS} failed: exit status {exit_code}", *lines]))
        self.s3.put_object(Bucket=self.bucket, Key=self.key, Body=b"")

    def wait(self) -> None:
        if self.process is not None:
            self.process.wait()
        self.check()

    def checked(self, snapshots: Iterable[Snapshot]) -> Iterator[Snapshot]:
        """The snapshots, as long as the tests have not failed."""
        for item in snapshots:
            self.check()
            yield item


@contextmanager
def started(s3: "S3Client", bucket: str, project: Path = Path()) -> Iterator[StackAssertions]:
    """Start the tests unless they passed for the same content; end them with the block."""
    key = f"{Prefix.ASSERTIONS}{content_hash(project, INPUTS)}"
    with TemporaryFile() as output:
        process = None
        if exists(s3, bucket, key):
            print(f"{TESTS} passed before for the same app: not run again", flush=True)
        elif not (project / TESTS).is_dir():
            print(f"there is no folder {TESTS}: the CDK app has no tests to run", flush=True)
        else:
            print(f"running {TESTS} beside the training", flush=True)
            command = [sys.executable, "-m", "pytest", "-q", "--exitfirst", str(TESTS)]
            process = subprocess.Popen(command, cwd=project, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield StackAssertions(s3=s3, bucket=bucket, key=key, output=output, process=process)
        finally:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
