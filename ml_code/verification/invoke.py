"""Asks an endpoint what it predicts, and how it takes a bad request."""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
from botocore.exceptions import ClientError

from ml_code.contracts import INFERENCE_ID
from ml_code.table.text import write_csv
from ml_code.verification.test_rows import LabelledRows

RuntimeClient: TypeAlias = Any  # boto3 makes its clients' classes at run time

BATCH_ROWS = 100
SINGLE_ROW_REQUESTS = 100
BAD_REQUESTS = (
    ("text/csv", b"no,such,columns\n1,2,3\n"),
    ("application/json", b'{"instances": [["text"]]}'),
    ("application/xml", b"<rows/>"),
)


class VerificationError(Exception):
    """The endpoint does not do what its model version promises."""


@dataclass(frozen=True)
class Answers:
    predictions: list[Any]
    probabilities: list[list[float]] | None  # in the order of the classes; none of a regression
    latencies_ms: list[float]

    @property
    def confidences(self) -> list[float] | None:
        """The probability of the most probable class of each row."""
        return None if self.probabilities is None else [max(row) for row in self.probabilities]


def ask(runtime: RuntimeClient, endpoint: str, rows: LabelledRows, lineage: dict[str, str]) -> Answers:
    """Predictions for all rows in batches; latencies from requests of one row.

    The batches have a header line, the single rows have none: both must mean the same.
    Every answer must name the model version, run and commit in `lineage`.
    """
    predictions: list[Any] = []
    probabilities: list[list[float]] = []
    for batch in _slices(rows, BATCH_ROWS):
        answer = _invoke_version(runtime, endpoint, batch, lineage)
        predictions += answer["predictions"]
        probabilities += answer.get("probabilities", [])
    latencies_ms = []
    for number, row in enumerate(islice(_slices(rows, 1), SINGLE_ROW_REQUESTS)):
        start = time.perf_counter()
        answer = _invoke_version(runtime, endpoint, row, lineage, with_header=False)
        latencies_ms.append((time.perf_counter() - start) * 1000)
        if not _is_same(answer["predictions"][0], predictions[number]):
            raise VerificationError(
                f"endpoint {endpoint} predicts {answer['predictions'][0]!r} for row {number + 1} alone without "
                f"a header line, and {predictions[number]!r} among others with one"
            )
    return Answers(predictions, probabilities or None, latencies_ms)


def _is_same(one: Any, other: Any) -> bool:
    """Whether two predictions are equal; of numbers up to the last bits, which a matrix product rounds by its number of rows."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6)
    return bool(one == other)


def _slices(rows: LabelledRows, size: int) -> Iterator[LabelledRows]:
    for start in range(0, len(rows), size):
        yield rows.take(range(start, min(start + size, len(rows))))


def _invoke_version(
    runtime: RuntimeClient,
    endpoint: str,
    rows: LabelledRows,
    lineage: dict[str, str],
    *,
    with_header: bool = True,
) -> dict[str, Any]:
    answer = invoke(runtime, endpoint, rows, with_header=with_header)
    found = {key: answer.get(key) for key in lineage}
    if found != lineage:
        raise VerificationError(f"endpoint {endpoint} answers as {found}, the registry says {lineage}")
    return answer


def invoke(
    runtime: RuntimeClient, endpoint: str, rows: LabelledRows, *, with_header: bool = True
) -> dict[str, Any]:
    """The endpoint's answer, with one prediction for each row."""
    body = write_csv(rows.features, rows.schema, header=with_header)
    try:
        response = runtime.invoke_endpoint(
            EndpointName=endpoint,
            ContentType="text/csv",
            Accept="application/json",
            Body=body,
            InferenceId=INFERENCE_ID,
        )
    except ClientError as error:
        if error.response["Error"]["Message"].endswith("not found."):
            raise VerificationError(
                f"endpoint {endpoint} does not exist: release the version first"
            ) from error
        raise VerificationError(f"endpoint {endpoint} refused a valid request: {error}") from error
    answer: dict[str, Any] = json.loads(response["Body"].read())
    if len(answer["predictions"]) != len(rows):
        raise VerificationError(
            f"endpoint {endpoint} gave {len(answer['predictions'])} predictions for {len(rows)} rows"
        )
    return answer


def predict(runtime: RuntimeClient, endpoint: str, rows: LabelledRows) -> tuple[str, Answers]:
    """The version that answers, and what it answers, without latencies."""
    versions: set[str] = set()
    predictions: list[Any] = []
    probabilities: list[list[float]] = []
    for batch in _slices(rows, BATCH_ROWS):
        answer = invoke(runtime, endpoint, batch)
        versions.add(str(answer.get("model_version")))
        predictions += answer["predictions"]
        probabilities += answer.get("probabilities", [])
    return " and ".join(sorted(versions)), Answers(predictions, probabilities or None, [])


def check_refusals(runtime: RuntimeClient, endpoint: str) -> None:
    """Bad requests must be the client's error, never the model's."""
    for content_type, body in BAD_REQUESTS:
        status = _status(runtime, endpoint, content_type, body)
        if not 400 <= status < 500:
            raise VerificationError(
                f"endpoint {endpoint} answered {body.decode()!r} as {content_type} with status {status}, "
                "a bad request must get 4xx"
            )


def _status(runtime: RuntimeClient, endpoint: str, content_type: str, body: bytes) -> int:
    try:
        runtime.invoke_endpoint(
            EndpointName=endpoint, ContentType=content_type, Body=body, InferenceId=INFERENCE_ID
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ModelError":
            raise
        return int(error.response["OriginalStatusCode"])  # type: ignore[typeddict-item]
    return 200


def percentiles_ms(latencies_ms: list[float]) -> dict[str, float]:
    return {
        f"p{percent}_ms": round(float(np.percentile(latencies_ms, percent)), 2) for percent in (50, 95, 99)
    }
