"""The physical names of all that the stack makes. Two factories in one account differ in `factory`."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

from ml_code.contracts import (
    BATCH,
    ENDPOINT_STAGES,
    build_project_name,
    deploy_project_name,
    endpoint_name,
    resource_prefix,
)

# What drift monitoring has: no factory may be called so.
MONITOR = "monitor"
OWNERS = "owners"
# A model of a deployment is called after its endpoint, its version and eight digits, in SageMaker's 63 characters.
MAX_PREFIX_CHARACTERS = 36
# The first words of what is appended to the prefix of a model's names, and of what is appended to the factory's name.
_OF_MODEL = frozenset(
    (
        BATCH,
        "build",
        "delivery",
        "deploy",
        "drift",
        "model",
        MONITOR,
        "new",
        OWNERS,
        "training",
        *ENDPOINT_STAGES,
    )
)
_OF_FACTORY = frozenset(("mlflow", "notifications", "push", "teardown"))
_LOGGING_SERVICES = ("codebuild", "ecs", "lambda", "sagemaker/Endpoints", "vpc")


@dataclass(frozen=True, kw_only=True)
class FactoryNames:
    """Names of the resources that all models share."""

    factory: str
    account: str
    region: str
    # The model whose resources are named after the factory alone; "" for none.
    unprefixed_model: str = ""

    def of_model(self, model: str) -> "ModelNames":
        prefix = resource_prefix(self.factory, model, is_prefixed=model != self.unprefixed_model)
        return ModelNames(
            factory=self.factory, account=self.account, region=self.region, model=model, prefix=prefix
        )

    @property
    def data_bucket(self) -> str:
        return f"{self.factory}-data-{self.account}-{self.region}"

    @property
    def artifact_bucket(self) -> str:
        return f"{self.factory}-artifacts-{self.account}-{self.region}"

    @property
    def delivery_bucket(self) -> str:
        return f"{self.factory}-delivery-{self.account}-{self.region}"

    @property
    def access_log_bucket(self) -> str:
        return f"{self.factory}-access-logs-{self.account}-{self.region}"

    @property
    def push(self) -> str:
        """The name of the pipeline and the project that start the deliveries of a push."""
        return f"{self.factory}-push"

    @property
    def connection(self) -> str:
        return self.factory

    @property
    def teardown_function(self) -> str:
        return f"{self.factory}-teardown"

    @property
    def key_alias(self) -> str:
        return f"alias/{self.factory}"

    @property
    def log_groups(self) -> list[str]:
        """Patterns of the log groups that the factory owns."""
        return [f"/aws/{service}/{self.factory}-*" for service in _LOGGING_SERVICES]

    @property
    def flow_logs(self) -> str:
        return f"/aws/vpc/{self.factory}-flows"

    @property
    def topic(self) -> str:
        return f"{self.factory}-notifications"

    @property
    def dashboard(self) -> str:
        return _dashboard(self.factory, self.region)

    @property
    def budget(self) -> str:
        """The name has the region, because budgets belong to none."""
        return f"{self.factory}-{self.region}"

    @property
    def mlflow_service(self) -> str:
        return f"{self.factory}-mlflow"


@dataclass(frozen=True, kw_only=True)
class ModelNames:
    """Names of one model's own resources; they begin with `prefix`."""

    factory: str
    account: str
    region: str
    model: str
    prefix: str

    @property
    def pipeline(self) -> str:
        """The name of the delivery pipeline and of the SageMaker pipeline alike."""
        return self.prefix

    @property
    def build_project(self) -> str:
        return build_project_name(self.prefix)

    @property
    def new_data(self) -> str:
        """The name of the rule, the function and the schedule alike."""
        return f"{self.prefix}-new-data"

    @property
    def monitor(self) -> str:
        """The name of the pipeline and the function alike."""
        return f"{self.prefix}-{MONITOR}"

    @property
    def teardown_function(self) -> str:
        return f"{self.prefix}-model-teardown"

    @property
    def owners_topic(self) -> str:
        return f"{self.prefix}-{OWNERS}"

    @property
    def dashboard(self) -> str:
        """The name of the factory's, which shows all models."""
        return _dashboard(self.factory, self.region)

    def alarm(self, what: str) -> str:
        return f"{self.prefix}-{what}"

    def deploy_project(self, stage: str) -> str:
        return deploy_project_name(self.prefix, stage)

    @property
    def batch_prefix(self) -> str:
        """The prefix of the names of transform jobs and their models."""
        return f"{self.prefix}-batch-"

    def endpoint(self, stage: str) -> str:
        return endpoint_name(self.prefix, stage)


def _dashboard(factory: str, region: str) -> str:
    """The name has the region, because dashboards belong to none."""
    return f"{factory}-{region}"


def check_names(models: Sequence[ModelNames]) -> None:
    """ValueError names a model whose resources cannot be named, or would be named as those of another."""
    for each in models:
        if len(each.prefix) > MAX_PREFIX_CHARACTERS:
            longest = MAX_PREFIX_CHARACTERS - len(each.prefix) + len(each.model)
            raise ValueError(
                f"The model {each.model!r} has {len(each.model)} characters; allowed in the factory {each.factory!r}: {longest}"
            )
        if each.prefix != each.factory and each.model.replace("_", "-").split("-")[0].lower() in _OF_FACTORY:
            raise ValueError(
                f"The model's name is {each.model!r}; allowed: one that does not begin with {', '.join(sorted(_OF_FACTORY))}"
            )
    for one, other in combinations(models, 2):
        if one.prefix == other.prefix:
            raise ValueError(
                f"The models {one.model!r} and {other.model!r} would both have the names {one.prefix}-…: rename one"
            )
    for one, other in permutations(models, 2):
        rest = other.prefix.removeprefix(f"{one.prefix}-")
        if rest != other.prefix and rest.split("-")[0] in _OF_MODEL:
            raise ValueError(
                f"The names of the model {other.model!r} would also match the patterns that the roles of {one.prefix} are "
                f"limited to: rename it, so that it does not begin with '{one.prefix}-{rest.split('-')[0]}'"
            )
