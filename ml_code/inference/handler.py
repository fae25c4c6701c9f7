"""Answers prediction requests inside SageMaker's scikit-learn image.

What a request is, ml_code/inference/requests.py says. The answer is JSON (`predictions`, `probabilities` in the order
of `classes`, `model_version`, `run_id`, `commit`) or, with `Accept: text/csv`, a header and one line a row. A request
that the model's schema does not allow gets status 400, 406, 413 or 415 and `{"error": sentence}`; rows are counted
from 1, a header line not among them.

With `Accept: application/jsonlines`, for batches of CSV, each line of the request gets a line of its own:
`{"prediction": …, "probabilities": […]}`, or `{"error": sentence}` for a row that the schema does not allow, or
`{"header": names}`.
"""

import csv
import io
import json
import logging
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from werkzeug.wrappers import Response

from ml_code.inference.requests import (
    CSV,
    JSON,
    RequestError,
    check_size,
    is_header_line,
    line_cells,
    media_type,
    read_request,
    shortened,
)
from ml_code.schema import Schema, SchemaError, find_bad_rows

JSON_LINES = "application/jsonlines"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    transformers: tuple[Any, ...]
    estimator: Any
    schema: Schema
    lineage: dict[str, str]
    classes: list[Any]


def model_fn(model_dir: str) -> ServedModel:
    folder = Path(model_dir)
    metadata = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))
    pipeline = pickle.loads((folder / "model.pkl").read_bytes())  # noqa: S301 - our own archive
    # Called one by one: Pipeline's routing of metadata, which nothing here uses, costs as much as they do.
    *transformers, estimator = [step for _, step in getattr(pipeline, "steps", [("", pipeline)])]
    for step in (*transformers, estimator):
        # Fitted on a data frame, it would warn at each array; the schema check has ordered the columns.
        vars(step).pop("feature_names_in_", None)
    model = ServedModel(
        transformers=tuple(transformers),
        estimator=estimator,
        schema=Schema.from_dict(metadata["schema"]),
        lineage={
            "model_version": metadata["version"],
            "run_id": metadata["run_id"],
            "commit": metadata["commit"],
        },
        classes=estimator.classes_.tolist(),
    )
    # A model that cannot predict fails here, at the endpoint's start, not at its first request.
    _predict(model, np.zeros((1, len(model.schema.names))))
    return model


def transform_fn(model: ServedModel, content: bytes | str, content_type: str, accept: str) -> Response:
    try:
        answer_type = _answer_type(accept)
        if answer_type == JSON_LINES:
            return _answer_lines(model, content, content_type)
        values = read_request(model.schema, content, content_type)
        return _answer(model, values, answer_type)
    except RequestError as error:
        return _refusal(error.status, str(error))
    except SchemaError as error:
        return _refusal(400, str(error))
    except Exception:
        # The next request may be fine, so the server stays; the log keeps the traceback.
        logger.exception("a request failed")
        return _refusal(500, "the model failed on this request; the endpoint's log has the reason")


def _refusal(status: int, message: str) -> Response:
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


def _predict(model: ServedModel, values: NDArray[np.float64]) -> tuple[list[Any], list[list[float]]]:
    """The most probable class of each row, as in training's metrics, and all classes' probabilities."""
    # The schema check has seen to what scikit-learn would check again.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        for transformer in model.transformers:
            values = transformer.transform(values)
        probabilities = model.estimator.predict_proba(values)
    return model.estimator.classes_[probabilities.argmax(axis=1)].tolist(), probabilities.tolist()


def _answer(model: ServedModel, values: NDArray[np.float64], answer_type: str) -> Response:
    predictions, probabilities = _predict(model, values)
    if answer_type == CSV:
        body = _csv_table(model.classes, predictions, probabilities)
    else:
        answer = {"predictions": predictions, "probabilities": probabilities, "classes": model.classes}
        body = json.dumps(answer | model.lineage, allow_nan=False)
    return Response(body, mimetype=answer_type, headers=_lineage_headers(model))


def _lineage_headers(model: ServedModel) -> dict[str, str]:
    """The one header that SageMaker hands on: a CSV answer names its model too."""
    attributes = ",".join(f"{key}={value}" for key, value in model.lineage.items())
    return {"X-Amzn-SageMaker-Custom-Attributes": attributes}


def _answer_lines(model: ServedModel, content: bytes | str, content_type: str | None) -> Response:
    if media_type(content_type or "") != CSV:
        raise RequestError(415, f"with Accept {JSON_LINES} Content-Type must be {CSV}, got {content_type!r}")
    check_size(model.schema, content)
    text = content if isinstance(content, str) else content.decode(errors="replace")
    lines = text.removeprefix("\ufeff").removesuffix("\n").split("\n")
    answers: list[dict[str, Any]] = [{}] * len(lines)
    rows: dict[int, list[float]] = {}
    has_header = is_header_line(model.schema, lines[0])
    if has_header:
        answers[0] = {"header": model.schema.names}
    for index, line in enumerate(lines):
        if has_header and index == 0:
            continue
        row = line_cells(model.schema, line)
        if isinstance(row, list):
            rows[index] = row
        else:
            answers[index] = {"error": row}
    if rows:
        values = np.array(list(rows.values()), dtype=np.float64)
        bad = find_bad_rows(values, model.schema)
        indices = np.array(list(rows))
        for position, reason in bad.items():
            answers[indices[position]] = {"error": reason}
        good = np.setdiff1d(np.arange(len(values)), list(bad))
        if good.size:
            predictions, probabilities = _predict(model, values[good])
            for index, prediction, row in zip(indices[good], predictions, probabilities, strict=True):
                answers[index] = {"prediction": prediction, "probabilities": row}
    body = "\n".join(json.dumps(answer, allow_nan=False) for answer in answers)
    return Response(body, mimetype=JSON_LINES, headers=_lineage_headers(model))


def _csv_table(classes: list[Any], predictions: list[Any], probabilities: list[list[float]]) -> str:
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["prediction", *(f"probability_{name}" for name in classes)])
    writer.writerows([prediction, *row] for prediction, row in zip(predictions, probabilities, strict=True))
    return table.getvalue()
