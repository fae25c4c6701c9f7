"""Brings a variant into service: launches it, shifts the traffic step by step, watches the alarms, turns back.

No request is lost: the variant that leaves answers what it has before it ends.
"""

import logging
import threading
import time

from localaws.core.account import Account
from localaws.core.listing import now, pick
from localaws.services.sagemaker.endpoints.deployment_config import Rollout
from localaws.services.sagemaker.endpoints.endpoint import Endpoint, Pending
from localaws.services.sagemaker.endpoints.rollback_alarms import RollbackAlarms
from localaws.services.sagemaker.endpoints.variant import LaunchFailed, Variant

LOG = logging.getLogger("localaws.sagemaker")
WATCH_INTERVAL_SECONDS = 0.1


class RolledBack(Exception):
    """The deployment ends with what was in service before; the text is the FailureReason."""


class Deployment:
    """One CreateEndpoint or UpdateEndpoint under way."""

    def __init__(
        self,
        account: Account,
        endpoint: Endpoint,
        variant: Variant,
        rollout: Rollout,
        alarms: RollbackAlarms,
    ) -> None:
        self._account = account
        self._endpoint = endpoint
        self._variant = variant
        self._rollout = rollout
        self._alarms = alarms
        self._waited_seconds = 0.0  # of AWS
        self._pending = Pending(variant=variant)

    def start(self) -> None:
        self._endpoint.pending = self._pending
        self._set_status("Creating", f"Launching {self._variant.instance_count} instance(s).")
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        reason = ""
        try:
            started = time.monotonic()
            self._variant.launch()
            self._waited_seconds += time.monotonic() - started
            if self._endpoint.variant is not None:
                self._shift_traffic()
        except (LaunchFailed, RolledBack) as failed:
            reason = str(failed)
        except Exception as error:  # a fault of the local AWS: shown, and the endpoint still settles
            LOG.exception("a fault of the local AWS itself")
            reason = f"InternalServerError: {error!r}"
        retired = self._settle(reason)
        if retired is not None:
            retired.retire()
        self._publish()

    def _shift_traffic(self) -> None:
        for step in self._rollout.steps:
            self._set_status(
                "ActivatingTraffic", f"Activating traffic on capacity of {step.instances} instance(s)."
            )
            self._pending.share = step.share
            LOG.info(
                "endpoint %s: %.0f %% to %s", self._endpoint.name, step.share * 100, self._variant.config_name
            )
            self._set_status("Baking", step.message)
            self._bake(step.bake_seconds)

    def _bake(self, aws_seconds: int) -> None:
        """Watch the alarms for so long; raise RolledBack when one trips or the deployment takes too long."""
        deadline = time.monotonic() + self._account.clock.seconds(aws_seconds)
        while self._endpoint.status == "Updating":
            if tripped := self._alarms.tripped():
                raise RolledBack(
                    "The deployment was rolled back to the previous endpoint configuration because the following "
                    f"CloudWatch alarms are in state ALARM: {', '.join(tripped)}."
                )
            left = deadline - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(left, WATCH_INTERVAL_SECONDS))
        self._waited_seconds += aws_seconds
        if self._waited_seconds > self._rollout.timeout_seconds:
            raise RolledBack(
                "The deployment was rolled back to the previous endpoint configuration because it took longer than "
                f"MaximumExecutionTimeoutInSeconds ({self._rollout.timeout_seconds})."
            )

    def _settle(self, reason: str) -> Variant | None:
        """End the deployment; return the variant that is to leave."""
        endpoint, variant = self._endpoint, self._variant
        with endpoint.lock:
            endpoint.pending = None
            before = endpoint.variant
            endpoint.description["LastModifiedTime"] = now()
            if endpoint.status == "Deleting":
                return variant
            if reason:
                endpoint.description["FailureReason"] = reason
                endpoint.description["EndpointStatus"] = "InService" if before else "Failed"
                return variant
            endpoint.variant = variant
            endpoint.description["EndpointStatus"] = "InService"
            endpoint.description["EndpointConfigName"] = variant.config_name
            return before

    def _set_status(self, status: str, message: str) -> None:
        self._pending.status = {"Status": status, "StatusMessage": message, "StartTime": now()}

    def _publish(self) -> None:
        described = self._endpoint.describe()
        self._account.publish_event(
            source="aws.sagemaker",
            detail_type="SageMaker Endpoint State Change",
            detail=pick(described, "EndpointName", "EndpointArn", "EndpointConfigName")
            | {"EndpointStatus": described["EndpointStatus"].upper().replace("INSERVICE", "IN_SERVICE")},
            resources=[described["EndpointArn"]],
        )
