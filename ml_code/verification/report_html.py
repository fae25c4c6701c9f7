"""verification.html: what a person reads before approving. One file, no script; all data in it are escaped."""

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ml_code.spec import ModelSpec
from ml_code.spec.metric_names import CLASSIFICATION
from ml_code.verification.invoke import Answers
from ml_code.verification.test_rows import LabelledRows

MOST_LABELS = 30  # of a confusion matrix that can be read
SHOWN_ROWS, SHOWN_FEATURES = 20, 10
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; }
th, td { border: 1px solid #ddd; padding: .2rem .6rem; text-align: left; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
td.right { background: #e6f4ea; } td.wrong { background: #fde7e9; color: #a50e0e; font-weight: 600; }
.passed { color: #137333; } .failed { color: #a50e0e; }
img { max-width: 100%; } .wide { overflow-x: auto; } h2 { margin-top: 2rem; }
"""


def write_page(
    path: Path,
    *,
    spec: ModelSpec,
    result: Mapping[str, Any],
    test_rows: LabelledRows,
    answers: Answers,
    picture: Path,
) -> None:
    word = "passed" if result["passed"] else "failed"
    title = f"{result['model']} version {result['model_version']} at {result['endpoint']}"
    sections = {
        "Metrics": _metrics(result),
        **({"Confusion matrix": _confusion_matrix(test_rows, answers)} if spec.is_classification else {}),
        "Predictions": _picture(picture),
        **({} if spec.image else {"Rows": _samples(spec, test_rows, answers)}),
        "Latency of a request with one row": _facts(result["latency"]),
        "Lineage": _facts({key: result[key] for key in LINEAGE}),
    }
    body = "".join(f"<h2>{_text(heading)}</h2>{content}" for heading, content in sections.items())
    path.write_text(
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">"
        f"<title>{_text(title)}</title><style>{_STYLE}</style>"
        f"<h1>{_text(title)}: <span class={word}>{word}</span></h1>"
        f"<p>{_text(_summary(result))}</p>{body}</html>\n",
        encoding="utf-8",
    )


def add_section(page: Path, heading: str, facts: Mapping[str, Any], lines: Sequence[str]) -> None:
    """Insert a section before the others of a page that `write_page` wrote."""
    items = "".join(f"<li>{_text(line)}</li>" for line in lines)
    section = f"<h2>{_text(heading)}</h2>{_facts(facts)}{f'<ul>{items}</ul>' if items else ''}"
    before, mark, after = page.read_text(encoding="utf-8").partition("<h2>")
    page.write_text(f"{before}{section}{mark}{after}", encoding="utf-8")


LINEAGE = (
    "model",
    "model_version",
    "run_id",
    "commit",
    "data_sha256",
    "execution_arn",
    "code_uri",
    "endpoint",
    "stage",
    "verified_at",
)


def _summary(result: Mapping[str, Any]) -> str:
    mistakes = f"; {len(result['mistakes'])} rows are wrong" if result["task"] == CLASSIFICATION else ""
    return (
        f"{result['metric']} is {result['value']:.4f} on {result['n']} held-out rows, the gate asks for "
        f"{result['threshold']:g}{mistakes}."
    )


def _metrics(result: Mapping[str, Any]) -> str:
    rows = [
        [
            _cell(name),
            _cell(f"{value:.4f}", "n"),
            _cell(f"{result['threshold']:g}" if name == result["metric"] else "", "n"),
        ]
        for name, value in result["metrics"].items()
    ]
    return _table(["metric", "value", "gate"], rows)


def _confusion_matrix(test_rows: LabelledRows, answers: Answers) -> str:
    labels = sorted({*test_rows.truth, *answers.predictions}, key=lambda label: (str(type(label)), label))
    if len(labels) > MOST_LABELS:
        return f"<p>{len(labels)} classes are too many to show.</p>"
    place = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    for true, predicted in zip(test_rows.truth, answers.predictions, strict=True):
        counts[place[true], place[predicted]] += 1
    rows = [
        [f"<th>{_text(label)}</th>"]
        + [
            _cell(count or "", f"n {('right' if row == column else 'wrong') if count else ''}".strip())
            for column, count in enumerate(counts[row].tolist())
        ]
        for row, label in enumerate(labels)
    ]
    return _table(["true \\ predicted", *labels], rows)


def _picture(picture: Path) -> str:
    data = base64.b64encode(picture.read_bytes()).decode()
    return f'<p><img alt="Predictions beside the truth" src="data:image/png;base64,{data}"></p>'


def _samples(spec: ModelSpec, test_rows: LabelledRows, answers: Answers) -> str:
    """Mistakes first; of numbers, the largest ones."""
    names = [str(name) for name in test_rows.features.columns]
    truth, predictions = test_rows.truth, answers.predictions
    if spec.is_classification:
        badness = [float(found != true) for true, found in zip(truth, predictions, strict=True)]
    else:
        badness = [abs(found - true) for true, found in zip(truth, predictions, strict=True)]
    order = np.argsort(-np.array(badness), kind="stable")[:SHOWN_ROWS]
    confidences = answers.confidences
    rows = [
        [
            _cell(int(index) + 1, "n"),
            _cell(_number(truth[index])),
            _cell(_number(predictions[index]), _kind(spec, is_wrong=bool(badness[index]))),
            _cell(f"{confidences[index]:.0%}" if confidences else "", "n"),
            *(_cell(value, "n") for value in test_rows.features.iloc[index, :SHOWN_FEATURES]),
        ]
        for index in order
    ]
    heads = ["row", "true", "predicted", "sure", *names[:SHOWN_FEATURES]]
    hidden = len(names) - SHOWN_FEATURES
    more = f"<p>and {hidden} more columns</p>" if hidden > 0 else ""
    return f"<div class=wide>{_table(heads, rows)}</div>{more}"


def _kind(spec: ModelSpec, *, is_wrong: bool) -> str:
    if not spec.is_classification:
        return "n"
    return "wrong" if is_wrong else "right"


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _facts(facts: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><th>{_text(key)}</th>{_cell(value)}</tr>" for key, value in facts.items())
    return f"<table>{rows}</table>"


def _table(heads: Iterable[Any], rows: Iterable[Iterable[str]]) -> str:
    """`rows` are cells, escaped already."""
    head = "".join(f"<th>{_text(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: Any, kind: str = "") -> str:
    return f'<td class="{kind}">{_text(value)}</td>' if kind else f"<td>{_text(value)}</td>"


def _text(value: Any) -> str:
    return html.escape(str(value))
