"""An action under way, and how it ends early."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from localaws.core.account import Account
from localaws.core.errors import Json
from localaws.core.identity import Credentials
from localaws.services.codebuild.build import BuildRun
from localaws.services.codebuild.work import S3Object
from localaws.services.iam.authorization import authorize, find_principal

POLL_SECONDS = 0.1


class ActionFailure(Exception):
    """An action failed; `code` and `message` are its errorDetails."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Abandoned(Exception):
    """The execution was stopped without waiting for its actions."""


@dataclass
class ActionRun:
    """One action under way. `execution` and `result` are parts of its record in the API's shape."""

    account: Account
    pipeline: str
    stage: str
    declaration: Json
    configuration: Mapping[str, str]  # resolved
    credentials: Credentials
    bucket: str
    inputs: Mapping[str, S3Object]
    revision: str | None  # of the source that the execution works on; for a source action, the one asked for
    abandoned: Callable[[], bool]
    record: Json
    variables: dict[str, str] = field(default_factory=dict)
    source_revision: Json | None = None
    build: BuildRun | None = None

    def output(self, name: str) -> S3Object:
        """The place of an output artifact; AWS, too, cuts the names."""
        return S3Object(self.bucket, f"{self.pipeline[:20]}/{name[:10]}/{secrets.token_hex(4)[:7]}")

    def outputs(self) -> dict[str, S3Object]:
        return {
            artifact["name"]: self.output(artifact["name"])
            for artifact in self.declaration.get("outputArtifacts", [])
        }

    def require(self, action: str, resource: str) -> None:
        """Raise ServiceError unless the role of the action allows it."""
        principal = find_principal(self.credentials.access_key_id, self.credentials.session_token)
        assert principal is not None, "the role of an action has just been assumed"
        authorize(principal, action, resource)

    def record_source(self, revision: str, summary: str, url: str) -> None:
        """The revision that a source action has taken."""
        self.external(
            externalExecutionId=revision, externalExecutionSummary=summary, externalExecutionUrl=url
        )
        self.source_revision = {
            "actionName": self.declaration["name"],
            "revisionId": revision,
            "revisionSummary": summary,
            "revisionUrl": url,
        }

    def external(self, **members: str) -> None:
        """Record externalExecutionId, externalExecutionSummary or externalExecutionUrl."""
        self.record["output"]["executionResult"].update(members)
