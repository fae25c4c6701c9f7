"""The variables of a build: whose value wins, and where each comes from."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from localaws.core.account import Account
from localaws.core.errors import Json
from localaws.core.identity import Credentials
from localaws.runtime.environments import machine_environment
from localaws.services.codebuild.buildspec import Buildspec, BuildspecError


class MissingValue(Exception):
    """Parameter Store or Secrets Manager has no such value."""


class VariableSources:
    """Looks variables up with the service role; `secrets` collects what no log of the build may show."""

    def __init__(self, account: Account, credentials: Credentials) -> None:
        self.secrets: list[str] = []
        self._account = account
        self._credentials = credentials

    def environment(
        self, record: Json, spec: Buildspec, *, home: Path, directories: Mapping[str, str]
    ) -> dict[str, str]:
        """All variables of the commands, but for those that select the Python that they run in.

        What StartBuild gave wins over the project (both are in `record`), the project over the buildspec.
        """
        machine = machine_environment(os.environ, cache_dir=self._account.state_dir / "cache")
        machine.pop("PATH", None)  # the overlay's PATH ends with it
        return {
            **machine,
            **self._account.environment(self._credentials),
            **spec.variables,
            **{name: self._parameter(value) for name, value in spec.parameter_store.items()},
            **{name: self._secret(value) for name, value in spec.secrets_manager.items()},
            **{item["name"]: self._value(item) for item in record["environment"]["environmentVariables"]},
            "HOME": str(home),
            **_built_in(record),
            **directories,
        }

    def _value(self, variable: Json) -> str:
        kind, value = variable.get("type", "PLAINTEXT"), str(variable["value"])
        if kind == "PLAINTEXT":
            return value
        return self._parameter(value) if kind == "PARAMETER_STORE" else self._secret(value)

    def _parameter(self, name: str) -> str:
        client = self._account.client("ssm", self._credentials)
        answer = client.get_parameters(Names=[name], WithDecryption=True)
        if answer["InvalidParameters"]:
            raise MissingValue(f"Parameter Store has no parameter {name}")
        return self._hide(answer["Parameters"][0]["Value"])

    def _secret(self, reference: str) -> str:
        """`reference` is <secret id>:<json key>:<version stage>:<version id>, all but the first optional."""
        match = re.fullmatch(
            r"(arn:aws:secretsmanager:[^:]*:[^:]*:secret:[^:]+|[^:]+)((?::[^:]*){0,3})", reference
        )
        if match is None:
            raise BuildspecError(
                f"secrets-manager: expected secret-id:json-key:version-stage:version-id, got {reference}"
            )
        json_key, stage, version = [*match.group(2).split(":")[1:], "", "", ""][:3]
        request: dict[str, Any] = {"SecretId": match.group(1)}
        if stage:
            request["VersionStage"] = stage
        if version:
            request["VersionId"] = version
        client = self._account.client("secretsmanager", self._credentials)
        text = str(client.get_secret_value(**request)["SecretString"])
        if not json_key:
            return self._hide(text)
        content = json.loads(text)
        if json_key not in content:
            raise MissingValue(f"the secret {match.group(1)} of Secrets Manager has no key {json_key}")
        return self._hide(content[json_key])

    def _hide(self, value: Any) -> str:
        if value:
            self.secrets.append(str(value))
        return str(value)


def _built_in(record: Json) -> dict[str, str]:
    variables = {
        "CI": "true",
        "CODEBUILD_CI": "true",
        "CODEBUILD_BUILD_ID": record["id"],
        "CODEBUILD_BUILD_ARN": record["arn"],
        "CODEBUILD_BUILD_NUMBER": str(record["buildNumber"]),
        "CODEBUILD_BUILD_IMAGE": record["environment"]["image"],
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_INITIATOR": record["initiator"],
        "CODEBUILD_LOG_PATH": record["logs"]["streamName"],
        "CODEBUILD_SOURCE_REPO_URL": "",
        "CODEBUILD_SOURCE_VERSION": record.get("sourceVersion", ""),
        "CODEBUILD_START_TIME": str(int(record["startTime"].timestamp() * 1000)),
    }
    if "resolvedSourceVersion" in record:
        variables["CODEBUILD_RESOLVED_SOURCE_VERSION"] = record["resolvedSourceVersion"]
    return variables
