"""The input of a build, and the ways in which it fails."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class S3Object:
    bucket: str
    key: str

    @property
    def arn(self) -> str:
        return f"arn:aws:s3:::{self.bucket}/{self.key}"


@dataclass(frozen=True)
class BuildWork:
    """Archives of the source by artifact name, the primary one first, and where the outputs go by name."""

    sources: Mapping[str, S3Object] = field(default_factory=dict)
    outputs: Mapping[str, S3Object] = field(default_factory=dict)


class BuildLog(Protocol):
    def write(self, message: str) -> None: ...

    def close(self) -> None: ...


class BuildFailure(Exception):
    """A phase failed; `code` is the status code of its context."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
