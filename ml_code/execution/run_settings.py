"""Settings of a run, from the build's environment and from the start of the delivery."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from ml_code.contracts import (
    ARGUMENT_CHARACTERS,
    REASON_CHARACTERS,
    DeliveryVariable,
    Prefix,
    Variable,
    of_model,
)
from ml_code.execution.trigger import Trigger
from ml_code.pipeline.settings import PipelineSettings


class RunError(Exception):
    """A fault that the caller can mend, in one sentence."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    pipeline: PipelineSettings
    pipeline_json: str
    build_id: str
    model: str
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
            f"{Variable.PIPELINE_SETTINGS} does not fit the settings that this commit expects: {'; '.join(faults)}. Run "
            "cdk deploy from this commit"
        ) from error
    model = required(Variable.MODEL_NAME)
    own = of_model(Prefix.RAW_DATA, model)
    data_prefix = trigger.data_prefix or own
    if not data_prefix.startswith(own):
        raise RunError(f"{DeliveryVariable.DATA_PREFIX} is {data_prefix!r}, allowed is a prefix below {own}")
    settings = RunSettings(
        pipeline=pipeline,
        pipeline_json=required(Variable.PIPELINE_SETTINGS),
        build_id=environment.get("CODEBUILD_BUILD_ID", ""),
        data_bucket=required(Variable.DATA_BUCKET),
        model=model,
        data_prefix=data_prefix,
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
