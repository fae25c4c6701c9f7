"""The SageMaker pipelines as JSON text: pure, offline, the same at synth and on a push."""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ml_code.estimators.libraries import IMAGE_FRAMEWORK, IMAGE_VERSION
from ml_code.pipeline.settings import MonitorSettings, PipelineSettings
from ml_code.spec import ModelSpec

if TYPE_CHECKING:
    from sagemaker.mlops.workflow.pipeline import Pipeline
else:
    Pipeline = Any


def build_pipeline(spec: ModelSpec, settings: PipelineSettings) -> Pipeline:
    with _sdk_environment(settings.region):
        # Seconds to import, and not without a region in the environment.
        from ml_code.pipeline.training_steps import assemble

        return assemble(spec, settings)


def pipeline_definition(spec: ModelSpec, settings: PipelineSettings) -> str:
    """The definition as JSON text; the same arguments give the same text."""
    pipeline = build_pipeline(spec, settings)
    with _sdk_environment(settings.region):
        return json.dumps(json.loads(pipeline.definition()))


def monitor_definition(settings: PipelineSettings, monitor: MonitorSettings) -> str:
    """The definition of the pipeline that compares one window of live inputs with the training data."""
    with _sdk_environment(settings.region):
        from ml_code.pipeline.drift_steps import assemble_monitor

        return json.dumps(json.loads(assemble_monitor(settings, monitor).definition()))


def scikit_learn_image_uri(region: str) -> str:
    """The image of processing, training and serving; ValueError where AWS has no such image."""
    with _sdk_environment(region):
        from sagemaker.core import image_uris

        try:
            # An x86 type: for Graviton the SDK answers with scikit-learn 1.0 without a word.
            uri = image_uris.retrieve(
                IMAGE_FRAMEWORK, region, version=IMAGE_VERSION, instance_type="ml.m5.large"
            )
        except (KeyError, ValueError) as error:
            raise ValueError(
                f"The region is {region!r}, allowed is one with SageMaker's scikit-learn "
                f"{IMAGE_VERSION} image, such as us-east-1 or eu-central-1."
            ) from error
    return str(uri)


@contextmanager
def _sdk_environment(region: str) -> Iterator[None]:
    """Set the variables that the SDK reads, for as long as it needs them.

    It makes a client at import, which needs a region, and asks IAM about a role unless a variable forbids it.
    """
    wanted = {"AWS_DEFAULT_REGION": region, "SAGEMAKER_VALIDATE_ROLE": "false"}
    before = {name: os.environ.get(name) for name in wanted}
    disabled = logging.root.manager.disable
    os.environ.update(wanted)
    logging.disable(logging.WARNING)  # it warns at every step that jobs get their names later
    try:
        yield
    finally:
        logging.disable(disabled)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
