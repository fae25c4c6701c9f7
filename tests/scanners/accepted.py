"""Accepted findings of checkov and parliament, each with its reason: of one check, at the constructs that it names.

cdk-nag's are acknowledged beside their constructs (stacks/acknowledgements.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.scanners.scan import Finding
from tests.stacks.configurations import CONFIGURATIONS
from tests.stacks.synthesis import configured


@dataclass(frozen=True)
class Accepted:
    check: str
    paths: tuple[str, ...]
    reason: str
    detail: str = ""
    """Part of what the scanner writes, where a check has several findings."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """For which configurations it is accepted; for all without them."""

    def covers(self, finding: Finding) -> bool:
        config = configured(CONFIGURATIONS[finding.configuration])
        return (
            finding.check == self.check
            and finding.path in self.paths
            and self.detail in finding.detail
            and all(getattr(config, name) == value for name, value in self.settings.items())
        )


FUNCTIONS = ("Teardown/Function", "ModelTeardown/Function", "Delivery/NewData/Function", "Drift/Function")
BUCKETS = ("Storage/Data", "Storage/Artifacts", "Storage/Deliveries")
LOGS = (
    "Delivery/Build/Logs",
    "Delivery/Deploy-production/Logs",
    "Delivery/Deploy-staging/Logs",
    "Delivery/NewData/Logs",
    "Drift/Logs",
    "ModelTeardown/Logs",
    "Network/Logs",
    "Serving/Logs-production",
    "Serving/Logs-staging",
    "Teardown/Logs",
    "Tracking/Fargate/Logs",
)
DATABASE = ("Tracking/Fargate/Database/Instance",)
LISTENER = ("Tracking/Fargate/Balancer/Http",)
_HTTP = "A certificate needs a domain, which a factory does not have; two security groups let builds and jobs in alone"
_JOBS = ("Drift/Pipeline/JobRole/DefaultPolicy", "Training/JobRole/DefaultPolicy")

ACCEPTED = (
    # checkov: functions.
    Accepted(
        "CKV_AWS_115",
        FUNCTIONS,
        "A reservation is taken from the account's limit, which is 10 in a new account: it would be refused",
    ),
    Accepted(
        "CKV_AWS_116",
        ("Teardown/Function", "ModelTeardown/Function"),
        "CloudFormation waits for its answer, and fails the operation without one",
    ),
    Accepted(
        "CKV_AWS_116",
        ("Delivery/NewData/Function", "Drift/Function"),
        "Lambda tries twice more; the next object or window starts what was missed, and an event has no content to keep",
    ),
    Accepted(
        "CKV_AWS_117",
        FUNCTIONS,
        "It calls AWS's APIs only: in a VPC it would need a way out, which a factory without a network does not have",
    ),
    Accepted(
        "CKV_AWS_173", FUNCTIONS, "The variables hold names and numbers that the template shows, no secrets"
    ),
    # checkov: storage.
    Accepted(
        "CKV_AWS_18",
        BUCKETS,
        "S3 logs access hours later: a bucket for that is never empty for a complete destroy",
        settings={"stage": "dev"},
    ),
    Accepted(
        "CKV_AWS_18",
        ("Storage/AccessLogs/Bucket",),
        "It has the other buckets' logs: its own would log themselves without end",
    ),
    Accepted(
        "CKV_AWS_21",
        ("Storage/AccessLogs/Bucket",),
        "S3's log delivery alone may write, each log under a name of its own, and no role of the factory reaches it",
    ),
    Accepted(
        "CKV_AWS_21",
        ("Storage/Deliveries",),
        "What the actions of one delivery hand on: CodePipeline gives each a key of its own, and it expires in 30 days",
    ),
    Accepted(
        "CKV_AWS_26",
        ("Observability/Notifications/Topic", "Owners/Topic"),
        "The setting encryption=customer encrypts it; alarms cannot publish with the key that AWS manages",
        settings={"encryption": "aws"},
    ),
    Accepted(
        "CKV_AWS_158",
        LOGS,
        "CloudWatch Logs encrypts every group; the setting encryption=customer gives it a key",
        settings={"encryption": "aws"},
    ),
    # checkov: MLflow on Fargate.
    Accepted("CKV_AWS_2", LISTENER, _HTTP),
    Accepted("CKV_AWS_103", LISTENER, _HTTP),
    Accepted(
        "CKV_AWS_65",
        ("Tracking/Fargate/Cluster",),
        "One task, which its health check replaces: the billed metrics of Insights would be unread",
    ),
    Accepted(
        "CKV_AWS_91",
        ("Tracking/Fargate/Balancer",),
        "The server logs each request itself; its clients are the factory's own jobs and builds",
    ),
    Accepted(
        "CKV_AWS_118",
        DATABASE,
        "It explains a slow database by its processes: this one serves one small server, and has RDS's own metrics",
    ),
    Accepted(
        "CKV_AWS_157",
        DATABASE,
        "In stage dev training may wait while a zone is out; stage prod has two zones",
        settings={"stage": "dev"},
    ),
    Accepted(
        "CKV_AWS_161",
        DATABASE,
        "MLflow connects by one address with user and password; RDS keeps and changes the password",
    ),
    # parliament: IAM documents.
    Accepted(
        "UNKNOWN_ACTION",
        (
            "Delivery/Deploy-production/Role/DefaultPolicy",
            "Delivery/Deploy-staging/Role/DefaultPolicy",
            "ModelTeardown/Role/DefaultPolicy",
            *_JOBS,
        ),
        "parliament's list is older than MLflow Apps; AWS's list in cfn-lint has it (tests/stacks/test_permissions.py)",
        detail="sagemaker:CallMlflowAppApi",
    ),
    Accepted(
        "UNKNOWN_ACTION",
        (
            "Delivery/Deploy-production/Role/DefaultPolicy",
            "Delivery/Deploy-staging/Role/DefaultPolicy",
            "Training/JobRole/DefaultPolicy",
        ),
        "As above: the actions are newer than parliament's list",
        detail="sagemaker-mlflow:Finalize*",
    ),
    Accepted(
        "RESOURCE_MISMATCH",
        ("Delivery/Pipeline/Role/DefaultPolicy",),
        "A connection has the service's old or new name in its ARN; the action with the other name grants nothing",
        detail="'action': 'codestar-connections:UseConnection'",
    ),
    Accepted(
        "RESOURCE_MISMATCH",
        ("Storage/Key",),
        "CDK lets the account's own IAM decide by kms:*, as AWS does by default; what is not about a key has no effect",
        detail="kms:ConnectCustomKeyStore",
    ),
    Accepted(
        "UNKNOWN_CONDITION_FOR_ACTION",
        ("Storage/Key",),
        "The policy is the one that CloudWatch Logs' guide asks for; a description alone has no context of encryption",
        detail="kms:EncryptionContext:aws:logs:arn for action kms:DescribeKey",
    ),
    Accepted(
        "MISMATCHED_TYPE",
        ("Storage/Key",),
        "The context of encryption is text to IAM, and holds ARNs: CloudWatch Logs' guide compares it so",
        detail="ArnLike requires a value of type Arn but given String",
    ),
)
