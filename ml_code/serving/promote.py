"""Makes a verified version the one in production: `python -m ml_code.serving.promote --model models:/NAME/3`."""

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ml_code.serving import registry
from ml_code.serving.arguments import parse_model_uri
from ml_code.serving.environment import RegistrySettings, read_settings
from ml_code.serving.registry import RegisteredVersion, RegistryError

if TYPE_CHECKING:
    from mlflow import MlflowClient

PRODUCTION = "production"


def promote(client: "MlflowClient", version: RegisteredVersion, now: datetime) -> str | None:
    """Move the alias; return the version that had it, if any.

    The tags are written first: whoever sees the alias sees the history too.
    """
    holder = client.get_registered_model(version.name).aliases.get(PRODUCTION)
    previous = str(holder) if holder is not None else None
    if previous == version.version:
        return previous
    tags = {
        "promoted_at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "previous_version": previous or "",
    }
    for key, value in tags.items():
        client.set_model_version_tag(version.name, version.version, key, value)
    client.set_registered_model_alias(version.name, PRODUCTION, version.version)
    return previous


def main() -> None:
    model_uri = parse_model_uri("Move the alias `production` to a version.")
    try:
        settings = read_settings(RegistrySettings, os.environ)
        client = registry.connect(settings.mlflow_tracking_uri)
        version = registry.resolve(client, model_uri)
        previous = promote(client, version, datetime.now(UTC))
    except (ValueError, RegistryError) as error:
        sys.exit(f"promote: {error}")
    if previous == version.version:
        print(f"{version.name} version {version.version} was in production already")
    else:
        before = f"version {previous}" if previous else "none"
        print(f"{version.name} version {version.version} is in production; before it: {before}")


if __name__ == "__main__":
    main()
