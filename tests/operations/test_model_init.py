"""`make model-init`: what is found in a file, what is drafted of it, and that the draft trains to its gate."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from ml_code.jobs.preprocess import read_raw
from ml_code.spec import ModelSpec, load_spec, parse_spec
from ml_code.table.contract import allowed_cells
from ml_code.table.frames import encode
from ml_code.table.text import read_csv, write_csv
from operations import train
from operations.model_init import baseline
from operations.model_init.__main__ import compare, draft_table, init
from operations.model_init.document import render
from operations.model_init.draft import Draft
from operations.model_init.estimators import candidates

ROWS = 400
OTHER_TASKS = [pytest.param(task, marks=pytest.mark.slow) for task in ("regression", "multiclass")]


def write(folder: Path, body: str | bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    return path


def csv_text(rows: Sequence[Sequence[Any]], **dialect: Any) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, **dialect).writerows(rows)
    return text.getvalue()


def spec_of(draft: Draft) -> ModelSpec:
    """Of the draft with a gate, as it is written."""
    best = candidates(draft.task, draft.row_count)[0]
    found = baseline.Baseline(draft.metric.value, (0.8, 0.9), 0.5)
    return parse_spec(render(draft, best, {best.estimator: found}))


@pytest.fixture(scope="module")
def messy() -> bytes:
    """Mixed types, gaps, quoted commas and line breaks, a date column, rare categories, a BOM and Windows line ends."""
    random = np.random.default_rng(7)
    rows: list[list[Any]] = [
        [
            "",
            "flight_id",
            "day",
            "hour",
            "carrier",
            "distance",
            "seats",
            "meal",
            "region",
            "note",
            "delay",
            "outcome",
        ]
    ]
    carriers = ["AA", "UA", "Zürich Air, Ltd", "Rare One", "Rare Two"]
    for number in range(ROWS):
        hour = int(random.integers(5, 23))
        carrier = str(random.choice(carriers, p=[0.5, 0.3, 0.19, 0.005, 0.005]))
        late = random.random() < 1 / (1 + np.exp(-(hour - 17) - 2 * (carrier == "UA")))
        day = np.datetime64("2025-01-01") + int(random.integers(0, 365))
        rows.append(
            [
                number,
                f"F{number:05}",
                str(day).replace("-", "/"),
                hour,
                carrier,
                "" if random.random() < 0.05 else round(random.gamma(3, 400), 1),
                "NA" if random.random() < 0.1 else int(random.integers(1, 9)),
                random.choice(["yes", "no"]),
                "EU",
                f'said "ok", then\r\nleft {number}',
                round(random.normal(80 if late else 5, 8), 2),
                "late" if late else "on time",
            ]
        )
    return b"\xef\xbb\xbf" + csv_text(rows, lineterminator="\r\n").encode()


def test_a_messy_file_is_drafted_as_a_person_would(tmp_path: Path, messy: bytes) -> None:
    draft = draft_table(write(tmp_path, messy), "outcome", "flights")
    spec = spec_of(draft)
    columns = {column.name: column for column in spec.features}
    assert {name: column.type for name, column in columns.items()} == {
        "day": "date",
        "hour": "integer",
        "carrier": "string",
        "distance": "number",
        "seats": "integer",
        "meal": "boolean",
    }
    assert columns["day"].format == "%Y/%m/%d"
    assert columns["carrier"].constraints.enum == ("AA", "UA", "Zürich Air, Ltd")
    assert columns["meal"].trueValues == ("yes",)
    assert columns["hour"].constraints.required
    assert not columns["seats"].constraints.required
    assert (spec.missingValues, spec.unknown_categories) == (("", "NA"), "unknown")
    assert spec.target.type == "string"
    assert spec.classes == ("on time", "late")
    reasons = {name: why.partition(":")[0] for name, why in draft.ignored.items()}
    assert reasons == {
        "": "the index that pandas writes",
        "flight_id": "an identifier or free text",
        "region": "constant",
        "note": "an identifier or free text",
        "delay": "tells the target by itself",
    }
    assert set(spec.ignored) == set(reasons)
    assert draft.sample.body == messy


@pytest.mark.parametrize("case", ["messy", *OTHER_TASKS])
def test_a_draft_trains_to_its_gate(
    case: str,
    tmp_path: Path,
    messy: bytes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(baseline, "SPLITS", 4)
    random = np.random.default_rng(3)
    x = random.normal(size=(ROWS, 3))
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).round(4)
    if case == "regression":
        target = (2 * x[:, 0] - x[:, 1] + random.normal(size=ROWS) / 5).round(3)
        body = frame.assign(y=target).to_csv(index=False)
    else:
        labels = np.array(["low", "middle", "high"])[np.digitize(x[:, 0] + x[:, 1] / 2, [-0.6, 0.6])]
        body = frame.assign(y=labels).to_csv(index=False)
    path = write(tmp_path, messy if case == "messy" else body, "My table.csv")
    init(Console(width=200), tmp_path, path, "outcome" if case == "messy" else "y")
    printed = capsys.readouterr().out
    assert "make train" in printed
    folder = tmp_path / "models/My-table"
    spec = load_spec(folder / "model.yaml")
    assert spec.gate.mode == "enabled"
    monkeypatch.setattr(train, "PROJECT", tmp_path)
    monkeypatch.setattr(train, "OUTPUT", tmp_path / "train-output")
    assert train.report(Console(), spec, folder / "data", 2) == 0


def test_rows_with_rare_categories_are_requests_too(tmp_path: Path, messy: bytes) -> None:
    draft = draft_table(write(tmp_path, messy), "outcome", "flights")
    spec = spec_of(draft)
    (tmp_path / "data").mkdir()
    write(tmp_path / "data", draft.sample.body)
    schema, rows = spec.request_schema(), read_raw(tmp_path / "data", spec)
    assert (rows["carrier"] == schema.unknown_text).any()
    assert not rows["carrier"].isna().any()
    values = encode(read_csv(write_csv(rows, schema), schema), schema)
    assert allowed_cells(values, schema).all()


def test_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    rows: list[list[Any]] = [["Preis", "Menge", "Tag", "Umsatz"]]
    for number in range(60):
        price, amount = random.uniform(1, 9), int(random.integers(1000, 99999))
        rows.append(
            [
                f"{price:.2f}".replace(".", ","),
                f"{amount:,}".replace(",", "."),
                f"{number % 28 + 1}.{number % 12 + 1}.2025",
                f"{random.normal(5, 2):.3f}".replace(".", ","),
            ]
        )
    body = csv_text(rows, delimiter=";").encode("cp1252")
    spec = spec_of(draft_table(write(tmp_path, body), "Umsatz", "sales"))
    assert (spec.csv.delimiter, spec.csv.decimalChar, spec.csv.groupChar) == (";", ",", ".")
    assert [column.type for column in spec.features] == ["number", "integer", "date"]
    assert spec.features[2].format == "%d.%m.%Y"
    assert spec.resolved_task == "regression"


@pytest.mark.parametrize(
    ("towns", "encoding"),
    [
        (["Köln", "Düsseldorf"], "cp1252"),
        (["São Paulo", "Málaga"], "cp1252"),
        (["Wrocław", "Poznań", "Żory"], "cp1250"),
        (["Москва", "Казань", "Санкт-Петербург"], "cp1251"),
    ],
)
def test_an_encoding_is_recognised_and_said(towns: list[str], encoding: str, tmp_path: Path) -> None:
    rows: list[list[Any]] = [["town", "size"], *([town, size] for size in range(40) for town in towns)]
    draft = draft_table(write(tmp_path, csv_text(rows).encode(encoding)), "size", "m")
    assert f"not UTF-8: read as {encoding}" in draft.table.remarks[0]
    assert spec_of(draft).csv.encoding == encoding
    assert {text for text, _ in draft.table.column("town").present} == set(towns)


def test_a_parquet_file(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    frame = pd.DataFrame(
        {
            "price": random.uniform(1, 9, 80),
            "rooms": pd.array(
                [None if number % 9 == 0 else number % 5 for number in range(80)], dtype="Int64"
            ),
            "sold": pd.date_range("2025-01-01", periods=80, freq="7h"),
            "garden": [bool(number % 2) for number in range(80)],
            "town": pd.Categorical(["Bonn", "Ulm", "Bonn", None] * 20),
            "tags": [["a"], ["b"]] * 40,
            "target": [0, 1, 1, 0] * 20,
        }
    )
    path = tmp_path / "rows.parquet"
    frame.to_parquet(path)
    draft = draft_table(path, "target", "homes")
    spec = spec_of(draft)
    assert {column.name: column.type for column in spec.features} == {
        "price": "number",
        "rooms": "integer",
        "sold": "datetime",
        "garden": "boolean",
        "town": "string",
    }
    assert spec.classes == (0, 1)
    assert draft.ignored == {"tags": "nested or binary: no model takes it"}
    compare(draft)


def test_a_large_file_is_sampled_by_class(tmp_path: Path) -> None:
    lines = [f"{number},{number * 7919 % 1000},{int(number % 400 == 0)}" for number in range(30_000)]
    path = write(tmp_path, "n,x,y\n" + "\n".join(lines))
    draft = draft_table(path, "y", "m")
    again = draft_table(path, "y", "m")
    written = pd.read_csv(io.BytesIO(draft.sample.body))
    assert len(written) <= 10_000
    assert written["y"].sum() >= 20
    assert again.sample.body == draft.sample.body


def test_rows_without_a_target_are_left_out_and_said(tmp_path: Path) -> None:
    lines = [
        f"{number * 37 % 101},{'' if number % 10 == 0 else number % 3 + number / 7}" for number in range(100)
    ]
    draft = draft_table(write(tmp_path, "x,y\n" + "\n".join(lines)), "y", "m")
    assert len(draft.sample.places) == 90
    assert "10 rows have no target" in render(draft, candidates(draft.task, 100)[0], {})
    compare(draft)


def test_hostile_names_break_neither_yaml_nor_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(baseline, "SPLITS", 2)
    names = [
        "!!python/object/apply:os.system ['id']",
        "[bold]x[/nothing]",
        "a: b # c\nseed: 9",
        "\x1b[31mred",
        "x_{0..3}",
        "y",
    ]
    random = np.random.default_rng(4)
    rows: list[list[Any]] = [names]
    for number in range(80):
        rows.append([*random.normal(size=5).round(3), ["- {x: y}", "'no\u2028thing"][number % 2]])
    init(Console(width=200), tmp_path, write(tmp_path, csv_text(rows)), "y")
    spec = load_spec(tmp_path / "models/rows/model.yaml")
    assert [column.name for column in spec.features] == names[:4]
    assert spec.ignored == ("x_{0..3}",)
    assert spec.seed == 1
    assert sorted(spec.classes) == sorted(["- {x: y}", "'no\u2028thing"])
    printed = capsys.readouterr().out
    assert "[bold]x[/nothing]" in printed
    assert "\x1b" not in printed


@pytest.mark.parametrize(
    ("metric", "scores", "guess", "threshold", "tolerance"),
    [
        ("roc_auc", (0.80, 0.82, 0.84), 0.5, 0.76, 0.02),
        ("roc_auc", (0.998, 0.998, 0.998), 0.5, 0.96, 0.01),  # as if they deviated by 0.01
        ("average_precision", (0.17, 0.22, 0.27), 0.083, 0.09, 0.05),  # not below a guess
        ("accuracy", (0.5, 0.6, 0.7), 0.55, 0.3, 0.1),  # hardly above a guess: the mean decides
        ("average_precision", (0.01, 0.02, 0.03), 0.02, 0.0, 0.01),
        ("r2", (-0.1, 0.0, 0.1), 0.0, -0.3, 0.1),
    ],
)
def test_a_gate_is_three_deviations_below_the_baseline(
    metric: str, scores: tuple[float, ...], guess: float, threshold: float, tolerance: float
) -> None:
    found = baseline.Baseline(metric, scores, guess)
    assert (found.threshold, found.tolerance) == (threshold, tolerance)
