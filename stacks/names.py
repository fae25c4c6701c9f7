from dataclasses import dataclass

from ml_code.contracts import deploy_project_name, endpoint_name

# What drift monitoring has: no factory may be called so.
MONITOR = "monitor"
_LOGGING_SERVICES = ("codebuild", "ecs", "lambda", "sagemaker/Endpoints", "vpc")


@dataclass(frozen=True, kw_only=True)
class FactoryNames:
    """The one place where physical names are made. Two factories in one account differ in `factory`."""

    factory: str
    account: str
    region: str

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
    def build_project(self) -> str:
        return f"{self.factory}-build"

    @property
    def connection(self) -> str:
        return self.factory

    @property
    def new_data(self) -> str:
        """The name of the rule, the function and the schedule alike."""
        return f"{self.factory}-new-data"

    @property
    def monitor(self) -> str:
        """The name of the pipeline and the function alike."""
        return f"{self.factory}-{MONITOR}"

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
        """Dashboards are not of a region."""
        return f"{self.factory}-{self.region}"

    @property
    def budget(self) -> str:
        """Budgets are not of a region."""
        return f"{self.factory}-{self.region}"

    def alarm(self, what: str) -> str:
        return f"{self.factory}-{what}"

    @property
    def mlflow_service(self) -> str:
        return f"{self.factory}-mlflow"

    def deploy_project(self, stage: str) -> str:
        return deploy_project_name(self.factory, stage)

    @property
    def batch_prefix(self) -> str:
        """The prefix of the names of transform jobs and their models."""
        return f"{self.factory}-batch-"

    def endpoint(self, stage: str) -> str:
        return endpoint_name(self.factory, stage)
