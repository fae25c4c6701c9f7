"""A steady load on the production endpoint."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

THREADS = 4


@dataclass(frozen=True)
class Answer:
    sent: float  # seconds since the load began
    version: str  # of the model that answered; empty when none did
    fault: str = ""


@dataclass
class Load:
    """So many requests a second, each of one row and never repeated, until the block is left."""

    endpoint: str
    rows: Sequence[str]
    requests_per_second: float
    answers: list[Answer] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(THREADS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.answers.sort(key=lambda answer: answer.sent)

    @property
    def faults(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.fault]

    def versions(self) -> list[str]:
        return [answer.version for answer in self.answers if not answer.fault]

    def _send(self, number: int) -> None:
        runtime = boto3.client("sagemaker-runtime", config=Config(retries={"total_max_attempts": 1}))
        interval = THREADS / self.requests_per_second
        due = self._start + interval * number / THREADS
        while not self._stop.is_set():
            time.sleep(max(0.0, due - time.monotonic()))
            due += interval
            self.answers.append(self._ask(runtime, self.rows[len(self.answers) % len(self.rows)]))

    def _ask(self, runtime: Any, row: str) -> Answer:
        sent = time.monotonic() - self._start
        try:
            response = runtime.invoke_endpoint(
                EndpointName=self.endpoint, ContentType="text/csv", Accept="application/json", Body=row
            )
            return Answer(sent, json.loads(response["Body"].read())["model_version"])
        except (BotoCoreError, ClientError) as error:
            return Answer(sent, "", str(error))
