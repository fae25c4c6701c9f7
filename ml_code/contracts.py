"""Names that two parts of the project agree on (over 300 lines: all of them). A change here changes all that uses the name.

Used by the stacks, the jobs, the builds, the Lambda functions and the operations alike, so it imports nothing of the project.
"""

from typing import TypedDict


class Variable:
    """Environment variables: set by the stack or a buildspec, read by builds, jobs and functions."""

    # Builds
    ARTIFACT_BUCKET = "ARTIFACT_BUCKET"
    DATA_BUCKET = "DATA_BUCKET"
    MLFLOW_TRACKING_URI = "MLFLOW_TRACKING_URI"
    BUILD_PROJECTS = "BUILD_PROJECTS"  # JSON: of all models
    MODEL_NAMES = "MODEL_NAMES"  # of the models to test, with commas
    MAX_PARALLEL_TRAININGS = "MAX_PARALLEL_TRAININGS"
    PIPELINE_SETTINGS = "PIPELINE_SETTINGS"
    PIPELINES = "PIPELINES"  # JSON: names of models to those of their delivery pipelines
    # Deployments
    APPROVAL = "APPROVAL"
    BATCH_SETTINGS = "BATCH_SETTINGS"
    DELIVERY_EXECUTION = "DELIVERY_EXECUTION"
    ENDPOINT_NAME = "ENDPOINT_NAME"
    ENDPOINT_ROLE_ARN = "ENDPOINT_ROLE_ARN"
    ENDPOINT_SETTINGS = "ENDPOINT_SETTINGS"
    FACTORY_NAME = "FACTORY_NAME"
    IMAGE_URI = "IMAGE_URI"
    MODEL_NAME = "MODEL_NAME"
    OWNERS = "OWNERS"  # JSON: their e-mail addresses
    RESOURCE_PREFIX = "RESOURCE_PREFIX"
    STAGE = "STAGE"
    TAGS = "TAGS"
    # Exported by builds to later actions of the delivery pipeline
    APPROVAL_SUMMARY = "APPROVAL_SUMMARY"
    ARCHIVE_SHA256 = "ARCHIVE_SHA256"
    EXECUTION_ARN = "EXECUTION_ARN"
    MODEL_VERSION = "MODEL_VERSION"
    TEST_ROWS_SHA256 = "TEST_ROWS_SHA256"
    VERIFICATION_URL = "VERIFICATION_URL"
    # Containers of endpoints and transform jobs
    MODEL_MANIFEST_SHA256 = "MODEL_MANIFEST_SHA256"
    # Jobs
    CHECKPOINT_DIR = "CHECKPOINT_DIR"
    EXIT_MESSAGE_FILE = "EXIT_MESSAGE_FILE"
    JOB_MODULE = "JOB_MODULE"
    # Functions
    CAPTURED_PREFIX = "CAPTURED_PREFIX"
    DELIVERY_PIPELINE_NAME = "DELIVERY_PIPELINE_NAME"
    EVALUATED_WINDOWS = "EVALUATED_WINDOWS"
    MONITOR_PIPELINE_NAME = "MONITOR_PIPELINE_NAME"
    QUIET_SECONDS = "QUIET_SECONDS"
    REPORTS_PREFIX = "REPORTS_PREFIX"
    SCHEDULE_NAME = "SCHEDULE_NAME"
    START_INPUT = "START_INPUT"
    TRAINING_PIPELINE_NAME = "TRAINING_PIPELINE_NAME"
    WINDOW_MINUTES = "WINDOW_MINUTES"


# What botocore reads, wherever the factory's code calls AWS: throttling is waited out for minutes (about two for a call).
# The code of ml_code/retries.py makes nothing twice by it.
RETRIES = {"AWS_RETRY_MODE": "standard", "AWS_MAX_ATTEMPTS": "15"}


# Of a registered model's version, as a regular expression: what another build or job reports is checked by it.
VERSION_NUMBER = r"[1-9][0-9]*"
# Of a model, as a regular expression: that of its folder, of its prefixes and in MLflow.
MODEL_NAME_PATTERN = r"[A-Za-z][A-Za-z0-9_-]{0,62}"


class Prefix:
    """Key prefixes in the data bucket (the first two) and the artifact bucket. Policies are cut along them."""

    RAW_DATA = "raw/"
    BATCH = "batch/"
    ASSERTIONS = "assertions/"
    CAPTURED = "captured/"
    CODE = "code/"
    INPUTS = "inputs/"
    MLFLOW = "mlflow/"
    MONITORING = "monitoring/"
    RELEASES = "releases/"
    RUNS = "runs/"
    SERVING = "serving/"
    WHEELS = "wheels/"


# Nobody overwrites an object there: the bucket's policy takes conditional writes only.
WRITE_ONCE_PREFIXES = (Prefix.CODE, Prefix.RELEASES, Prefix.SERVING, Prefix.WHEELS)


class Stage:
    """Stages of the delivery pipeline, and its source actions: what was pushed, and the deployed stack's release code."""

    SOURCE = "Source"
    RELEASE_CODE = "ReleaseCode"
    BUILD = "Build"
    STAGING = "Staging"
    APPROVAL = "Approval"
    PRODUCTION = "Production"
    # Actions that are not named like their stage
    APPROVE_ACTION = "Approve"
    DEPLOY_ACTION = "Deploy"


# Of a model whose deliveries wait for nobody; in the place of the approver's identity, too.
AUTOMATIC_APPROVAL = "automatic"
STAGING = "staging"
PRODUCTION = "production"
ENDPOINT_STAGES = (STAGING, PRODUCTION)
# Of archives that only transform jobs read: versions that were never released.
BATCH = "batch"


class DeliveryVariable:
    """Variables of the delivery pipeline, set when an execution starts."""

    DATA_PREFIX = "DataPrefix"
    TRIGGER_REASON = "TriggerReason"


class Parameter:
    """Parameters of the SageMaker pipelines."""

    CODE_URI = "CodeUri"
    COMMIT_ID = "CommitId"
    DATA_URI = "DataUri"
    DATA_VERSION = "DataVersion"
    TRIGGER_REASON = "TriggerReason"
    MODEL_VERSION = "ModelVersion"
    RUN_ID = "RunId"
    WINDOW_END = "WindowEnd"
    WINDOW_START = "WindowStart"


class Argument:
    """Arguments of the jobs' modules, `--<argument>`, besides those that name a job's folders."""

    COMMIT = "commit"
    EXECUTION_ARN = "execution-arn"
    TRIGGER_REASON = "trigger-reason"
    CODE_URI = "code-uri"
    DATA_URI = "data-uri"
    DATA_VERSION = "data-version"
    TRAIN_SHARDS = "train-shards"
    EXIT_MESSAGE_FILE = "exit-message-file"
    # Of the comparison of live inputs
    CAPTURED_URI = "captured-uri"
    ENDPOINT_NAME = "endpoint-name"
    MINIMUM_ROWS = "minimum-rows"
    MODEL_VERSION = "model-version"
    REPORTS_URI = "reports-uri"
    RUN_ID = "run-id"
    SMALLEST_STATISTIC = "smallest-statistic"
    WINDOW_END = "window-end"
    WINDOW_START = "window-start"


class Step:
    """Steps of the SageMaker pipelines."""

    COMPARE = "Compare"
    EVALUATE = "Evaluate"
    GATE = "Gate"
    GATE_FAILED = "GateFailed"
    PREPROCESS = "Preprocess"
    REGISTER = "Register"
    TUNE = "Tune"


class Tag:
    """Keys of AWS tags: the factory's on everything, the others on what a deployment makes."""

    FACTORY = "model-factory"
    CODE_URI = "code-uri"
    COMMIT = "commit"
    DATA_SHA256 = "data-sha256"
    EXECUTION_ARN = "execution-arn"
    MODEL_NAME = "model-name"
    MODEL_VERSION = "model-version"
    RUN_ID = "run-id"


METRIC_NAMESPACE = "ModelFactory"


class Metric:
    """CloudWatch metrics that the factory publishes, with the dimension EndpointName."""

    DRIFTED_FEATURES = "DriftedFeatures"
    LARGEST_DRIFT = "LargestDrift"
    LIVE_ROWS = "LiveRows"
    QUALITY_SHORTFALL = "QualityShortfall"
    UNREADABLE_CAPTURES = "UnreadableCaptures"


class Alarm:
    """Alarms, named `<factory>-<alarm>`."""

    DELIVERY_FAILED = "delivery-failed"
    DRIFT = "drift"
    PRODUCTION_ERRORS = "production-errors"
    PRODUCTION_LATENCY = "production-latency"
    PRODUCTION_QUALITY = "production-quality"
    TRAINING_FAILED = "training-failed"


class JobLogs:
    """Log groups that SageMaker shares among all jobs of an account; a stream's name begins with its job's."""

    PROCESSING = "/aws/sagemaker/ProcessingJobs"
    TRAINING = "/aws/sagemaker/TrainingJobs"
    TRANSFORM = "/aws/sagemaker/TransformJobs"


class Output:
    """Outputs of the stack."""

    ARTIFACT_BUCKET_NAME = "ArtifactBucketName"
    DATA_BUCKET_NAME = "DataBucketName"
    MLFLOW_TRACKING_URI = "MlflowTrackingUri"
    MODEL_PREFIXES = "ModelPrefixes"  # JSON: names of models to the prefixes of their resources
    NOTIFICATION_TOPIC_ARN = "NotificationTopicArn"
    REPOSITORY_CLONE_URL = "RepositoryCloneUrl"


class TemplateMetadata:
    """Keys of the template's section Metadata: what operations learn of the settings before a deployment."""

    QUOTA_NEEDS = "QuotaNeeds"


class RetiredData:
    """Values of the setting for the data of a model that is taken out of the factory."""

    KEEP = "keep"
    DELETE = "delete"


class TeardownProperty:
    """Properties of the custom resources that run a teardown function: the names of the resources to stop and remove.

    One that is not given has nothing to remove.
    """

    BATCH_PREFIXES = "BatchPrefixes"
    BUCKET_NAMES = "BucketNames"
    BUILD_PROJECT_NAMES = "BuildProjectNames"
    DELIVERY_PIPELINE_NAMES = "DeliveryPipelineNames"
    ENDPOINT_NAMES = "EndpointNames"
    FACTORY_NAME = "FactoryName"
    MLFLOW_MODEL = "MlflowModel"
    MLFLOW_TRACKING_URI = "MlflowTrackingUri"
    OBJECT_PREFIXES = "ObjectPrefixes"  # s3://…: of a model whose data are deleted when it is taken out
    PACKAGE_GROUPS = "PackageGroups"
    PRODUCTION_ENDPOINTS = "ProductionEndpoints"  # by model: on update, those that are not there any more
    RETIRED_DATA = "RetiredData"  # by model: what becomes of its data when it is taken out
    RETIRED_MODELS = "RetiredModels"
    RULE_NAMES = "RuleNames"
    SAGEMAKER_PIPELINE_NAMES = "SageMakerPipelineNames"
    SCHEDULE_NAMES = "ScheduleNames"


# SageMaker shifts the traffic of an update only between variants of one name.
VARIANT_NAME = "AllTraffic"
# The reason of a delivery that drift started begins with it.
DRIFT_REASON = "drift: "
# SageMaker takes no longer argument of a processing job's container.
ARGUMENT_CHARACTERS = 256
# Of a delivery's reason, which is such an argument; what is longer is cut.
REASON_CHARACTERS = 200


# Of the requests that verification makes; data capture keeps it, and the drift comparison leaves them out.
INFERENCE_ID = "model-factory-verification"


class TagItem(TypedDict):
    """A tag as SageMaker's API takes it."""

    Key: str
    Value: str


def tag_list(tags: dict[str, str]) -> list[TagItem]:
    """Tags as SageMaker's API takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def resource_prefix(factory: str, model: str, *, is_prefixed: bool = True) -> str:
    """The beginning of the names of one model's resources; its pipelines are called just so."""
    return f"{factory}-{model.lower().replace('_', '-')}" if is_prefixed else factory


def endpoint_name(prefix: str, stage: str) -> str:
    return f"{prefix}-{stage}"


def build_project_name(prefix: str) -> str:
    """The CodeBuild project that trains."""
    return f"{prefix}-build"


def deploy_project_name(prefix: str, stage: str) -> str:
    """The CodeBuild project that deploys to the stage."""
    return f"{prefix}-deploy-{stage}"


def of_model(prefix: str, model: str) -> str:
    """The model's own part of a prefix: no role of another model's reads or writes there."""
    return f"{prefix}{model}/"


def serving_prefix(stage: str, model: str) -> str:
    """The prefix of one stage's archives of one model: no other stage's role writes there."""
    return of_model(f"{Prefix.SERVING}{stage}/", model)


def releases_prefix(model: str) -> str:
    """The records of the model's releases to production, which its production role alone writes."""
    return of_model(Prefix.RELEASES, model)


def monitoring_experiment(model: str) -> str:
    """The MLflow experiment of the comparisons of live inputs; that of the trainings is called as the model."""
    return f"{model}-monitoring"


# Of the consoles, by the beginning of the region's name; others are in the partition `aws`.
CONSOLE_DOMAINS = {
    "cn-": "console.amazonaws.cn",
    "eusc-": "console.amazonaws-eusc.eu",
    "us-gov-": "console.amazonaws-us-gov.com",
}


def console_url(region: str) -> str:
    """The address of the region's console, in its partition."""
    domains = [domain for beginning, domain in CONSOLE_DOMAINS.items() if region.startswith(beginning)]
    return f"https://{region}.{domains[0] if domains else 'console.aws.amazon.com'}"
