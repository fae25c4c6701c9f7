"""The settings of a release, from the environment."""

import json
from dataclasses import dataclass

from ml_code.verification.settings import VerifySettings


@dataclass(frozen=True, kw_only=True)
class ReleaseSettings(VerifySettings):
    factory_name: str
    resource_prefix: str
    model_name: str
    endpoint_role_arn: str
    artifact_bucket: str
    image_uri: str
    endpoint_settings: str  # JSON: what the endpoint runs on
    tags: str  # a JSON object: those of the settings, besides the lineage
    delivery_execution: str = ""  # of CodePipeline, when one releases
    approval: str = ""
    owners: str = "[]"  # JSON: e-mail addresses

    @property
    def owners_text(self) -> str:
        return ", ".join(json.loads(self.owners))
