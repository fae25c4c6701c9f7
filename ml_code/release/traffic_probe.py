"""Looks at an update while SageMaker shifts traffic: asks the endpoint, and feeds the alarm on quality."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ml_code.contracts import Metric
from ml_code.endpoint_metrics import publish
from ml_code.spec import ModelSpec
from ml_code.verification.invoke import BATCH_ROWS, VerificationError, invoke
from ml_code.verification.test_rows import LabelledRows

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient

REQUESTS_A_LOOK = 20
LOOK_SECONDS = 5.0


@dataclass(kw_only=True)
class TrafficProbe:
    """The held-out rows, asked until the new version has answered each of them.

    Rows that it has not answered yet count as right: what is measured falls below the gate only when the whole
    must, so no chance of a small sample condemns a version.
    """

    runtime: Any
    cloudwatch: "CloudWatchClient"
    endpoint: str
    version: str
    test_rows: LabelledRows
    spec: ModelSpec
    alarms: tuple[str, ...]
    answers: Counter[str] = field(default_factory=Counter)  # rows answered, by model version
    failures: int = 0  # requests without an answer
    error: Exception | None = None
    raised_alarms: list[str] = field(default_factory=list)  # alarms that were seen in ALARM

    def __post_init__(self) -> None:
        self._predictions = self.test_rows.truth.copy()
        classes = self.spec.classes
        self._probabilities = [[float(label == true) for label in classes] for true in self._predictions]
        self._is_answered = np.zeros(len(self.test_rows.truth), dtype=bool)

    def look(self, status: str) -> None:
        """Send requests once while the endpoint has this status; an error is kept in `error`, as the update goes on."""
        if not self.alarms or self.error:
            return
        try:
            self.note_alarms()
            if status == "Updating":
                self._ask()
                self._report()
        except Exception as error:
            self.error = error

    def note_alarms(self) -> None:
        """Note the alarms that are on now: one may be over when the rollback ends."""
        for alarm in self.cloudwatch.describe_alarms(AlarmNames=list(self.alarms))["MetricAlarms"]:
            if alarm["StateValue"] == "ALARM" and alarm["AlarmName"] not in self.raised_alarms:
                self.raised_alarms.append(alarm["AlarmName"])

    def _ask(self) -> None:
        rows = np.flatnonzero(~self._is_answered)
        size = min(BATCH_ROWS, -(-len(self._is_answered) // REQUESTS_A_LOOK))
        deadline = time.monotonic() + LOOK_SECONDS
        for start in range(0, min(len(rows), size * REQUESTS_A_LOOK), size):
            if time.monotonic() > deadline:
                return
            batch = rows[start : start + size]
            try:
                answer = invoke(self.runtime, self.endpoint, self.test_rows.take(batch))
            except VerificationError:
                self.failures += 1  # SageMaker counts it, too, for the alarm on errors
                continue
            version = str(answer.get("model_version"))
            self.answers[version] += len(batch)
            if version == self.version:
                for place, row in enumerate(batch):
                    self._predictions[row] = answer["predictions"][place]
                    if "probabilities" in answer:
                        self._probabilities[row] = answer["probabilities"][place]
                self._is_answered[batch] = True
                if self._shortfall() > 0:
                    return  # it cannot become better: the alarm need not wait for the rest

    def _shortfall(self) -> float:
        from ml_code.metrics import measure_answers  # scikit-learn takes a second to import

        gate, truth = self.spec.gate, self.test_rows.truth
        metrics = measure_answers(self.spec, truth, self._predictions, self._probabilities)
        return 0.0 if gate.passes(metrics) else abs(gate.threshold - metrics[gate.metric])

    def _report(self) -> None:
        if self._is_answered.any():
            publish(self.cloudwatch, self.endpoint, {Metric.QUALITY_SHORTFALL: self._shortfall()})
