"""The manual approval."""

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from botocore.exceptions import ClientError

from localaws.services.codebuild.work import S3Object
from localaws.services.codepipeline.action_run import POLL_SECONDS, Abandoned, ActionFailure, ActionRun

_APPROVAL_TIMEOUT = timedelta(days=7)


@dataclass
class Approval:
    """An approval that waits for a person; PutApprovalResult calls `answer` once."""

    token: str = field(default_factory=lambda: str(uuid4()))
    answered: threading.Event = field(default_factory=threading.Event)
    approved: bool = False
    summary: str = ""
    by: str = ""

    def answer(self, *, approved: bool, summary: str, by: str) -> None:
        self.approved, self.summary, self.by = approved, summary, by
        self.answered.set()


def wait_for_approval(run: ActionRun, approval: Approval) -> dict[str, S3Object]:
    minutes = run.declaration.get("timeoutInMinutes")
    expires = datetime.now(UTC) + (timedelta(minutes=minutes) if minutes else _APPROVAL_TIMEOUT)
    if "NotificationArn" in run.configuration:
        _notify(run, approval, expires)
    while not approval.answered.wait(POLL_SECONDS):
        if run.abandoned():
            raise Abandoned
        if datetime.now(UTC) > expires:
            raise ActionFailure("JobFailed", "The approval action timed out: nobody approved or rejected it.")
    run.record["updatedBy"] = approval.by
    run.external(externalExecutionSummary=approval.summary)
    if not approval.approved:
        raise ActionFailure("JobFailed", f"Rejected by {approval.by}. {approval.summary}".strip())
    return {}


def _notify(run: ActionRun, approval: Approval, expires: datetime) -> None:
    names = {"ExternalEntityLink": "externalEntityLink", "CustomData": "customData"}
    message = {
        "region": run.account.region,
        "approval": {
            "pipelineName": run.pipeline,
            "stageName": run.stage,
            "actionName": run.declaration["name"],
            "token": approval.token,
            "expires": f"{expires:%Y-%m-%dT%H:%MZ}",
            **{name: run.configuration[key] for key, name in names.items() if key in run.configuration},
        },
    }
    try:
        run.account.client("sns", run.credentials).publish(
            TopicArn=run.configuration["NotificationArn"],
            Subject=f"APPROVAL NEEDED: AWS CodePipeline {run.pipeline} for action {run.declaration['name']}"[
                :100
            ],
            Message=json.dumps(message),
        )
    except ClientError as error:
        raise ActionFailure("PermissionError", str(error)) from error
