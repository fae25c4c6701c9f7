"""The stack's settings for the definitions of the SageMaker pipelines."""

from collections.abc import Mapping

from ml_code.pipeline.compute import Compute, Section


class PipelineSettings(Section):
    """The stack's settings for the definition; the rest is model.yaml's."""

    pipeline_name: str
    model_name: str
    region: str
    role_arn: str
    artifact_bucket: str
    mlflow_tracking_uri: str
    image_uri: str
    compute: Compute = Compute()
    kms_key_arn: str | None = None
    # Of every job: what it costs is found by them.
    tags: Mapping[str, str] = {}
    # Of the VPC that jobs run in; both or none.
    subnet_ids: list[str] | None = None
    security_group_ids: list[str] | None = None


class MonitorSettings(Section):
    """The inputs of the monitoring pipeline, and its demands."""

    endpoint_name: str
    captured_uri: str
    reports_uri: str
    minimum_rows: int
    threshold_percent: int
