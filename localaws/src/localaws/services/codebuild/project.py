"""Defaults of a project, and members that the local AWS refuses."""

import re

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID

SOURCE_TYPES = ("CODEPIPELINE", "S3", "NO_SOURCE")


ARTIFACT_TYPES = ("CODEPIPELINE", "NO_ARTIFACTS")


# Set to anything that has an effect, these would change what a build does: refused by name.
_UNSUPPORTED = (
    "secondarySources",
    "secondaryArtifacts",
    "fileSystemLocations",
    "buildBatchConfig",
    "autoRetryLimit",
)


_UNSUPPORTED_ENVIRONMENT = ("privilegedMode", "certificate", "registryCredential", "fleet", "dockerServer")


def project_defaults(account: Account) -> Json:
    return {
        "timeoutInMinutes": 60,
        "queuedTimeoutInMinutes": 480,
        "encryptionKey": f"arn:aws:kms:{account.region}:{ACCOUNT_ID}:alias/aws/s3",
        "cache": {"type": "NO_CACHE"},
        "badge": {"badgeEnabled": False},
        "tags": [],
    }


def log_names(project: Json, uuid: str) -> tuple[str, str]:
    configured = project.get("logsConfig", {}).get("cloudWatchLogs", {})
    prefix = configured.get("streamName")
    return (
        configured.get("groupName") or f"/aws/codebuild/{project['name']}",
        f"{prefix}/{uuid}" if prefix else uuid,
    )


def refuse_unsupported(project: Json) -> None:
    """Raise InvalidInputException that names what the local AWS would have to ignore."""
    asked = [member for member in _UNSUPPORTED if project.get(member)]
    asked += [
        f"environment.{member}" for member in _UNSUPPORTED_ENVIRONMENT if project["environment"].get(member)
    ]
    if project["source"]["type"] not in SOURCE_TYPES:
        asked.append(f"source.type {project['source']['type']} (only {', '.join(SOURCE_TYPES)})")
    if project["artifacts"]["type"] not in ARTIFACT_TYPES:
        asked.append(f"artifacts.type {project['artifacts']['type']} (only {', '.join(ARTIFACT_TYPES)})")
    if project["cache"]["type"] != "NO_CACHE":
        asked.append(f"cache.type {project['cache']['type']} (only NO_CACHE)")
    if not project["environment"]["type"].startswith("LINUX"):
        asked.append(f"environment.type {project['environment']['type']}")
    logs = project.get("logsConfig", {})
    if logs.get("s3Logs", {}).get("status") == "ENABLED":
        asked.append("logsConfig.s3Logs")
    if logs.get("cloudWatchLogs", {}).get("status") == "DISABLED":
        asked.append("logsConfig.cloudWatchLogs DISABLED")
    if asked:
        raise ServiceError(
            "InvalidInputException",
            f"The local AWS does not support, of a CodeBuild project: {', '.join(asked)}",
        )
    for variable in project["environment"].get("environmentVariables", []):
        if not re.fullmatch(r"[A-Za-z_]\w*", variable["name"]):
            raise ServiceError(
                "InvalidInputException", f"Invalid environment variable name {variable['name']!r}"
            )


def console_link(region: str, group: str, stream: str) -> str:
    group, stream = (part.replace("/", "$252F") for part in (group, stream))
    return (
        f"https://console.aws.amazon.com/cloudwatch/home?region={region}"
        f"#logsV2:log-groups/log-group/{group}/log-events/{stream}"
    )
