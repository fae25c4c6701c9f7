"""Answers prediction requests inside SageMaker's scikit-learn image.

What a request is, ml_code/inference/requests.py says. The answer is JSON (`predictions`; of classes `probabilities`, in
the order of `classes`; `model_version`, `run_id`, `commit`) or, with `Accept: text/csv`, a header and one line a row. A
request that the model's schema does not allow gets status 400, 406, 413 or 415 and `{"error": sentence}`; rows are
counted from 1, a header line not among them.

With `Accept: application/jsonlines`, for batches of CSV, each line of the request gets a line of its own:
`{"prediction": …, "probabilities": […]}`, or `{"error": sentence}` for a row that the schema does not allow, or
`{"header": names}`.
"""

import csv
import io
import json
import logging
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline
from werkzeug.wrappers import Response

from ml_code.estimators.model import TableModel
from ml_code.estimators.saving import load_model, read_files
from ml_code.inference.json_numbers import numbers_text, row_texts, rows_text
from ml_code.inference.requests import (
    CSV,
    JSON,
    RequestError,
    check_size,
    is_header_line,
    media_type,
    read_lines,
    read_request,
    shortened,
)
from ml_code.table.cells import Values
from ml_code.table.columns import Schema, SchemaError
from ml_code.table.rows import RowReader

JSON_LINES = "application/jsonlines"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    model: TableModel
    reader: RowReader
    lineage: dict[str, str]

    @property
    def schema(self) -> Schema:
        return self.reader.schema

    @cached_property
    def classes(self) -> list[Any]:
        return list(self.model.classes)

    @cached_property
    def json_end(self) -> str:
        """The end of each JSON answer."""
        lineage = "".join(f", {json.dumps(key)}: {json.dumps(value)}" for key, value in self.lineage.items())
        return (f', "classes": {json.dumps(self.classes)}' if self.classes else "") + f"{lineage}}}"

    @cached_property
    def lineage_headers(self) -> dict[str, str]:
        """The one header that SageMaker hands on: a CSV answer names its model too."""
        attributes = ",".join(f"{key}={value}" for key, value in self.lineage.items())
        return {"X-Amzn-SageMaker-Custom-Attributes": attributes}


@dataclass(frozen=True)
class Predicted:
    """Labels and the probabilities of all classes, or numbers."""

    labels: list[Any]
    numbers: Values | None
    probabilities: Values | None

    @property
    def values(self) -> list[Any]:
        return self.labels if self.numbers is None else self.numbers.tolist()

    def texts(self) -> tuple[list[str], list[str] | None]:
        """JSON of each row's prediction, and of its probabilities."""
        if self.probabilities is None:
            return [json.dumps(number, allow_nan=False) for number in self.values], None
        known = {label: json.dumps(label) for label in set(self.labels)}
        return [known[label] for label in self.labels], row_texts(self.probabilities)


def model_fn(model_dir: str) -> ServedModel:
    folder = Path(model_dir)
    metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    schema = Schema.from_dict(metadata["schema"])
    model = load_model(read_files(folder))
    if not isinstance(model, TableModel):
        model = _former_model(model, schema)
    model.use_cores(os.cpu_count() or 1)
    served = ServedModel(
        model=model,
        reader=RowReader(schema),
        lineage={
            "model_version": metadata["version"],
            "run_id": metadata["run_id"],
            "commit": metadata["commit"],
        },
    )
    # A model that cannot predict fails here, at the endpoint's start, not at its first request.
    _predict(served, served.schema.lower.clip(-1, 1).reshape(1, -1))
    return served


def _former_model(pipeline: Any, schema: Schema) -> TableModel:
    """The model of a version that was trained before models had labels of their own: a pipeline for columns of numbers."""
    if not isinstance(pipeline, Pipeline):
        pipeline = Pipeline([("estimator", pipeline)])
    for _, step in pipeline.steps:
        # Fitted on a data frame, it would warn at each array.
        vars(step).pop("feature_names_in_", None)
    return TableModel(schema, pipeline, classes=tuple(pipeline.classes_.tolist()))


def transform_fn(model: ServedModel, content: bytes | str, content_type: str, accept: str) -> Response:
    try:
        answer_type = _answer_type(accept)
        if answer_type == JSON_LINES:
            return _answer_lines(model, content, content_type)
        values = read_request(model.reader, content, content_type)
        return _answer(model, values, answer_type)
    except RequestError as error:
        return refusal(error.status, str(error))
    except SchemaError as error:
        return refusal(400, str(error))
    except Exception:
        # The next request may be fine, so the server stays; the log keeps the traceback.
        logger.exception("a request failed")
        return refusal(500, "the model failed on this request; the endpoint's log has the reason")


def refusal(status: int, message: str) -> Response:
    return Response(json.dumps({"error": shortened(message)}), status=status, mimetype=JSON)


def _answer_type(accept: str | None) -> str:
    for part in (accept or "*/*").split(","):
        found = media_type(part)
        if found in (CSV, "text/*"):
            return CSV
        if found == JSON_LINES:
            return JSON_LINES
        if found in (JSON, "application/*", "*/*"):
            return JSON
    raise RequestError(406, f"Accept must be {JSON}, {CSV} or {JSON_LINES}, got {accept!r}")


def _predict(served: ServedModel, values: Values) -> Predicted:
    model = served.model
    if not model.classes:
        return Predicted([], model.numbers(values), None)
    probabilities = model.probabilities(values)
    classes = model.classes
    labels = [classes[code] for code in model.decide(probabilities).tolist()]
    return Predicted(labels, None, probabilities)


def _answer(served: ServedModel, values: Values, answer_type: str) -> Response:
    found = _predict(served, values)
    body = _csv_table(served.classes, found) if answer_type == CSV else _json_answer(served, found)
    return Response(body, mimetype=answer_type, headers=served.lineage_headers)


def _json_answer(served: ServedModel, found: Predicted) -> str:
    if found.numbers is not None:
        return f'{{"predictions": {numbers_text(found.numbers)}{served.json_end}'
    assert found.probabilities is not None
    probabilities = rows_text(found.probabilities)
    return f'{{"predictions": {json.dumps(found.labels)}, "probabilities": {probabilities}{served.json_end}'


def _answer_lines(served: ServedModel, content: bytes | str, content_type: str | None) -> Response:
    if media_type(content_type or "") != CSV:
        raise RequestError(415, f"with Accept {JSON_LINES} Content-Type must be {CSV}, got {content_type!r}")
    schema = served.schema
    check_size(schema, content)
    encoding = schema.dialect.encoding
    text = content if isinstance(content, str) else content.decode(encoding, errors="replace")
    lines = text.removeprefix("\ufeff").removesuffix("\n").split("\n")
    answers = [""] * len(lines)
    start = 0
    if is_header_line(schema, lines[0]):
        answers[0] = json.dumps({"header": schema.names})
        start = 1
    values, indices, faults = read_lines(served.reader, lines[start:])
    for index, reason in faults.items():
        answers[start + index] = json.dumps({"error": reason})
    if indices:
        predictions, probabilities = _predict(served, values).texts()
        for position, index in enumerate(indices):
            more = f', "probabilities": {probabilities[position]}' if probabilities else ""
            answers[start + index] = f'{{"prediction": {predictions[position]}{more}}}'
    return Response("\n".join(answers), mimetype=JSON_LINES, headers=served.lineage_headers)


def _csv_table(classes: list[Any], found: Predicted) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["prediction", *(f"probability_{name}" for name in classes)])
    values = found.values
    probabilities = [[]] * len(values) if found.probabilities is None else found.probabilities.tolist()
    writer.writerows([value, *row] for value, row in zip(values, probabilities, strict=True))
    return table.getvalue()
