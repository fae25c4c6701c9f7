"""The split by time that a draft proposes in a comment."""

import re
from pathlib import Path

import pandas as pd

from ml_code.jobs.parts import split
from ml_code.jobs.preprocess import read_raw
from ml_code.spec import parse_spec
from operations.model_init import baseline
from operations.model_init.__main__ import draft_table
from operations.model_init.document import render
from operations.model_init.estimators import candidates


def test_the_boundary_that_a_draft_proposes_gives_a_fifth_to_the_test_part(tmp_path: Path) -> None:
    days = pd.date_range("2025-01-01", periods=200, freq="D").astype(str)
    rows = [f"{day},{number % 7},{number % 7 * 2 + number % 3}" for number, day in enumerate(days)]
    (tmp_path / "a.csv").write_text("\n".join(["day,size,price", *rows, ""]))
    draft = draft_table(tmp_path / "a.csv", "price", "prices")
    best = candidates(draft.task, draft.row_count)[0]
    text = render(draft, best, {best.estimator: baseline.Baseline(draft.metric.value, (0.8, 0.9), 0.5)})
    proposed = re.search(r"# by: (\{.*?\}) tests on later rows", text)
    assert proposed
    assert proposed[1] == "{time: day, test_from: 2025-06-09}"
    changed = re.sub(r"(split: \{[^}]*?)(, by: \w+)?\}", rf"\1, by: {proposed[1]}}}", text, count=1)
    spec = parse_spec(changed)
    parts = split(read_raw(tmp_path, spec), spec)
    assert len(parts["test"]) == 41
