"""Makes a verified version the one in production."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from ml_code.contracts import PRODUCTION
from ml_code.tracking import production_history
from ml_code.tracking.model_registry import RegisteredVersion, in_production
from ml_code.tracking.production_history import Promotion

if TYPE_CHECKING:
    from mlflow import MlflowClient


def promote(
    client: "MlflowClient", version: RegisteredVersion, promotion: Promotion, now: datetime
) -> str | None:
    """Move the alias; return the version that had it, if any.

    The history is written first: whoever sees the alias sees why.
    """
    previous = in_production(client, version.name)
    if previous == version.version:
        return previous
    key = production_history.write(client, version, replace(promotion, previous=previous or ""), now)
    try:
        client.set_registered_model_alias(version.name, PRODUCTION, version.version)
    except Exception:
        client.delete_model_version_tag(version.name, version.version, key)
        raise
    return previous
