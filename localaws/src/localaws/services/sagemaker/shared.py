"""Parts that all groups of SageMaker's operations share."""

import threading
from typing import Any

from localaws.core.account import Account
from localaws.core.errors import Json
from localaws.core.identity import Caller
from localaws.services.iam.authorization import principal_id
from localaws.services.sagemaker.jobs.host import Host
from localaws.services.sagemaker.quotas import Quotas
from localaws.services.sagemaker.tags import Tags


class Shared:
    def __init__(self, account: Account) -> None:
        self.account = account
        self.host = Host(account)
        self.tags = Tags()
        self.quotas = Quotas()
        self._request = threading.local()

    def called_by(self, caller: Caller) -> None:
        """Set the caller of the next work of this thread."""
        self._request.caller = caller

    def user_context(self) -> Json:
        """CreatedBy and LastModifiedBy of the resources that the caller makes."""
        caller: Caller = self._request.caller
        return {"IamIdentity": {"Arn": caller.arn, "PrincipalId": principal_id(caller)}}

    def job_ended(self, job: Any) -> None:
        """Tell EventBridge of it."""
        described = job.describe()
        kind = next(key.removesuffix("Status") for key in described if key.endswith("JobStatus"))
        words = {
            "ProcessingJob": "Processing Job",
            "TrainingJob": "Training Job",
            "TransformJob": "Transform Job",
        }
        self.account.publish_event(
            source="aws.sagemaker",
            detail_type=f"SageMaker {words.get(kind, 'HyperParameter Tuning Job')} State Change",
            detail={
                f"{kind}Name": job.name,
                f"{kind}Arn": job.arn,
                f"{kind}Status": described[f"{kind}Status"],
            },
            resources=[job.arn],
        )
