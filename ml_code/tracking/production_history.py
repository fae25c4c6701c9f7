"""Who was in production: a tag of the model version for each promotion, in the registry itself."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ml_code.tracking.model_registry import RegisteredVersion

if TYPE_CHECKING:
    from mlflow import MlflowClient

PREFIX = "production/"


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """Why a version went into production, and what exactly went there."""

    reason: str
    approved_by: str
    delivery: str  # CodePipeline's execution, if one did it
    archive: str  # S3 URI of what the endpoint got
    previous: str = ""  # version


@dataclass(frozen=True, kw_only=True)
class Period:
    """A version's time in production; `until` is None for the one that is there now."""

    version: str
    since: datetime
    until: datetime | None
    promotion: Promotion
    tags: dict[str, str]  # of the version


def write(client: "MlflowClient", version: RegisteredVersion, promotion: Promotion, now: datetime) -> str:
    """The key of the tag."""
    time = now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    key = f"{PREFIX}{time}Z"
    client.set_model_version_tag(version.name, version.version, key, json.dumps(asdict(promotion)))
    return key


def read(client: "MlflowClient", model: str) -> list[Period]:
    """Oldest first."""
    found: list[tuple[datetime, Any, Promotion]] = []
    token = None
    while True:
        versions = client.search_model_versions(f"name = '{model}'", max_results=1000, page_token=token)
        for version in versions:
            for key, value in version.tags.items():
                if key.startswith(PREFIX):
                    since = datetime.fromisoformat(key.removeprefix(PREFIX))
                    found.append((since, version, Promotion(**json.loads(value))))
        token = versions.token
        if not token:
            break
    found.sort(key=lambda item: item[0])
    ends = [*(since for since, _, _ in found[1:]), None]
    return [
        Period(version=str(version.version), since=since, until=until, promotion=promotion, tags=version.tags)
        for (since, version, promotion), until in zip(found, ends, strict=False)
    ]
