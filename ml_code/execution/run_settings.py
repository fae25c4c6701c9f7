"""Settings of a run, from the build's environment and from the start of the delivery."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from ml_code.contracts import ARGUMENT_CHARACTERS, REASON_CHARACTERS, DeliveryVariable, Prefix, Variable
from ml_code.execution.trigger import Trigger
from ml_code.pipeline.settings import PipelineSettings


class RunError(Exception):
    """A fault that the caller can mend, in one sentence."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    pipeline: PipelineSettings
    data_bucket: str
    data_prefix: str
    artifact_bucket: str
    commit: str
    trigger_reason: str
    request_token: str

    @property
    def data_uri(self) -> str:
        return f"s3://{self.data_bucket}/{self.data_prefix}"


def read_settings(environment: Mapping[str, str], commit: str | None, trigger: Trigger) -> RunSettings:
    def required(name: str) -> str:
        if not environment.get(name):
            raise RunError(f"set the environment variable {name}; a build of the factory has it")
        return environment[name]

    try:
        pipeline = PipelineSettings.model_validate_json(required(Variable.PIPELINE_SETTINGS))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise RunError(
            f"{Variable.PIPELINE_SETTINGS} is not the JSON of this commit's settings of a pipeline, which cdk deploy from "
            f"this commit writes: {'; '.join(faults)}"
        ) from error
    if not trigger.data_prefix.startswith(Prefix.RAW_DATA):
        raise RunError(
            f"{DeliveryVariable.DATA_PREFIX} is {trigger.data_prefix!r}, allowed is a prefix below {Prefix.RAW_DATA}"
        )
    settings = RunSettings(
        pipeline=pipeline,
        data_bucket=required(Variable.DATA_BUCKET),
        data_prefix=trigger.data_prefix,
        artifact_bucket=required(Variable.ARTIFACT_BUCKET),
        commit=commit or required("CODEBUILD_RESOLVED_SOURCE_VERSION"),
        trigger_reason=trigger.reason[:REASON_CHARACTERS],
        request_token=uuid.uuid4().hex,
    )
    if len(settings.data_uri) > ARGUMENT_CHARACTERS:
        raise RunError(
            f"{settings.data_uri} has {len(settings.data_uri)} characters, SageMaker takes {ARGUMENT_CHARACTERS}: "
            f"choose a shorter {DeliveryVariable.DATA_PREFIX}"
        )
    return settings
