"""`make model-init`: what cannot become a model is refused in a sentence, and nothing that a person edited is lost."""

import csv
import io
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from ml_code.spec import load_spec
from operations.errors import OperationError
from operations.model_init import __main__ as model_init
from operations.model_init import baseline
from operations.model_init.__main__ import draft_table, init
from operations.model_init.estimators import Candidate, candidates
from operations.model_init.task import LEAST_ROWS

NUMBERS = [f"{number * 37 % 61},{number * 11 % 17}.5" for number in range(60)]
GOOD = "x,y\n" + "\n".join(NUMBERS) + "\n"


def with_target(labels: list[str]) -> str:
    return "x,y\n" + "\n".join(f"{number * 37 % 61},{label}" for number, label in enumerate(labels))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_linear(*given: Any) -> list[Candidate]:
        return candidates(*given)[1:2]

    monkeypatch.setattr(baseline, "SPLITS", 2)
    monkeypatch.setattr(model_init, "candidates", only_linear)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("", "is empty"),
        ("\ufeff \r\n", "is empty"),
        ("x,y\n", "has a header and no rows"),
        ("x,y\n1,2\n", "has 1 row; give 50 or more"),
        (GOOD.replace("x,y", "x,z", 1), r"has no column 'y' \(did you mean|TARGET is one of x, z"),
        (GOOD.replace("x,y", "x,Y", 1), "has no column 'y'; TARGET is one of x, Y"),
        (GOOD.replace("x,y", "y,y", 1), "has the column 'y' twice"),
        ("y\n" + "\n".join(map(str, range(60))), "the column 'y' only"),
        (with_target(["a"] * 60), "is 'a' in every row"),
        (with_target(["a", "", "b", "a", "b"] * 12), None),
        (with_target(["a", "", "b", "", "b"] * 12), "missing in 24 of 60 rows; allowed: 20%"),
        (with_target(["a"] * 30 + ["b"] * 29 + ["c"]), "The class 'c' of the target 'y' has 1 row"),
        (with_target([f"t{number}" for number in range(200)]), "200 different values"),
        (with_target([f"2025-01-{number % 28 + 1:02}" for number in range(60)]), "of type date"),
        (with_target([f"{number}.5" for number in range(58)] + ["many", "few"]), "write these as numbers"),
        (with_target([str(2**60 + number) for number in range(60)]), "beyond 2"),
        (GOOD.replace("\n0,", "\n0,5,", 1), "has 3 values and the header 2"),
        ("sep=;\n" + GOOD.replace(",", ";"), "which only Excel reads"),
        (
            GOOD.encode() + "ä,1\n".encode() + "ö,2\n".encode("latin-1"),
            "mixes encodings: line 62 is in UTF-8",
        ),
        (b"\xff\xfe" + GOOD.encode("utf-16-le") + b"\x00", "is not text in UTF-16"),
        (b"\x1f\x8b" + b"damaged", "is damaged"),
        (b"PAR1" + b"damaged", "is no readable Parquet file"),
        ("x,y\n" + "\n".join(f"{number},{number}" for number in range(60)), "no column to predict 'y' from"),
        ("x,y\n" + "\n".join(f"7,{number * 37 % 61}" for number in range(60)), "constant: '7' in every row"),
        (GOOD.replace("x,y", "x,y_{0..2}", 1), "would stand for several columns"),
    ],
)
def test_what_cannot_become_a_model_is_refused_in_a_sentence(
    body: str | bytes, sentence: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(body.encode() if isinstance(body, str) else body)
    target = "y_{0..2}" if isinstance(body, str) and "y_{" in body else "y"
    if sentence is None:
        assert draft_table(path, target, "m").features
        return
    with pytest.raises(OperationError, match=sentence) as caught:
        init(Console(), tmp_path, path, target)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("data", "target", "name", "sentence"),
    [
        ("missing.csv", "y", "", "which is not there"),
        (".", "y", "m", "which is a folder"),
        ("rows.csv", "", "", "TARGET is missing; give the column to predict, one of x, y"),
        ("rows.csv", "y", "../up", "NAME is '../up'; give NAME"),
        ("2025.csv", "y", "", "The file is called '2025.csv'; give NAME"),
    ],
)
def test_wrong_arguments(data: str, target: str, name: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(GOOD)
    with pytest.raises(OperationError, match=sentence):
        init(Console(), tmp_path, tmp_path / data, target, name)


def test_data_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["model_init", "--data", "", "--target", "", "--name", ""])
    with pytest.raises(OperationError, match="DATA is missing; give a CSV or Parquet file"):
        model_init.main()


def test_columns_that_are_nearly_something_else_are_left_out_with_the_reason(tmp_path: Path) -> None:
    lines = ["mixed,dates,zip,serial,copy,x,y"]
    for number in range(100):
        day = f"2025-01-{number % 28 + 1:02}" if number % 2 else f"{number % 28 + 1}.01.2025"
        mixed = "about 5" if number == 7 else str(number * 13 % 97 + 1000)
        x = number * 37 % 61
        code = f"{number * 7 % 9 + 1:05}"
        lines.append(f"{mixed},{day},{code},{2**60 + number},{x},{x},{number * 11 % 17}.5")
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(lines))
    draft = draft_table(path, "y", "m")
    assert "numbers, but for texts such as 'about 5'" in draft.ignored["mixed"]
    assert "dates in several formats" in draft.ignored["dates"]
    assert "beyond 2^53" in draft.ignored["serial"]
    assert draft.ignored["x"] == "a copy of copy"
    columns = {column.name: column.column.type for column, _ in draft.features}
    assert columns == {"zip": "string", "copy": "integer"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text(GOOD)
    return tmp_path


def run(project: Path, name: str = "m") -> None:
    init(Console(file=io.StringIO()), project, project / "rows.csv", "y", name)


def test_an_unedited_draft_is_written_again_and_an_edited_one_is_left(project: Path) -> None:
    run(project)
    path = project / "models/m/model.yaml"
    first = path.read_text()
    run(project)
    assert path.read_text() == first
    path.write_text(first.replace("seed: 1", "seed: 2"))
    with pytest.raises(OperationError, match="models/m was edited"):
        run(project)
    assert "seed: 2" in path.read_text()


@pytest.mark.parametrize("file", ["data/rows.csv", "data/more.csv", "notes.md"])
def test_files_beside_an_unedited_draft_are_not_lost(file: str, project: Path) -> None:
    run(project)
    (project / "models/m" / file).write_text("mine")
    with pytest.raises(OperationError, match="models/m was edited"):
        run(project)
    assert (project / "models/m" / file).read_text() == "mine"


def git(project: Path, *words: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    subprocess.run(["git", "-C", str(project), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def sample(project: Path) -> Path:
    folder = project / "models/sample"
    folder.mkdir(parents=True)
    (folder / "model.yaml").write_text("name: sample # make model-init replaces this sample\n")
    git(project, "init")
    git(project, "add", "models")
    git(project, "commit", "-m", "Start")
    return folder


def test_the_sample_makes_way_when_git_has_it(project: Path, sample: Path) -> None:
    run(project)
    assert not sample.exists()
    assert load_spec(project / "models/m/model.yaml").name == "m"


@pytest.mark.parametrize("change", ["edited", "new file", "not the sample", "not in git"])
def test_any_other_model_stays(change: str, project: Path, sample: Path) -> None:
    if change == "edited":
        (sample / "model.yaml").write_text("name: sample # make model-init replaces this sample\nseed: 2\n")
    elif change == "new file":
        (sample / "rows.csv").write_text("mine")
    elif change == "not the sample":
        (sample / "model.yaml").write_text("name: mine\n")
        git(project, "commit", "-am", "Mine")
    else:
        (project / ".git").rename(project / "git")
    run(project)
    assert (sample / "model.yaml").exists()
    assert (project / "models/m/model.yaml").exists()


CELLS = st.one_of(
    st.integers(-(2**63), 2**63).map(str),
    st.floats().map(str),
    st.dates().map(str),
    st.sampled_from(
        ["", "NA", "-", "yes", "no", "true", "1", "0", "1,5", "1.234,5", "a", "b", "007", "[x]", "{0..3}"]
    ),
    st.text(max_size=6),
)
NAMES = st.one_of(
    st.sampled_from(["x", "id", "", "Unnamed: 0", "no", "y{0..1}"]), st.text(min_size=1, max_size=8)
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[bytes, str]:
    names = draw(st.lists(NAMES, min_size=2, max_size=5, unique_by=str.strip))
    seed = draw(st.integers(0, 2**32 - 1))
    count = draw(st.sampled_from([LEAST_ROWS, 80]))
    random = np.random.default_rng(seed)
    columns = []
    for _ in names:
        pool = draw(st.lists(CELLS, min_size=1, max_size=4))
        if draw(st.booleans()):
            pool = [str(number) for number in random.normal(size=count).round(3)]
        columns.append([pool[place] for place in random.integers(0, len(pool), count)])
    text = io.StringIO(newline="")
    delimiter, line_end = draw(st.sampled_from(",;\t")), draw(st.sampled_from(["\n", "\r\n"]))
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end)
    writer.writerow(names)
    writer.writerows(zip(*columns, strict=True))
    body = text.getvalue().encode("utf-8", errors="ignore")
    return body, draw(st.sampled_from(names)).strip()


@given(table=tables())
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_table_is_drafted_or_refused_in_a_sentence(
    table: tuple[bytes, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    body, target = table
    folder = tmp_path_factory.mktemp("any")
    (folder / "rows.csv").write_bytes(body)
    refusal = ""
    try:
        init(Console(file=io.StringIO()), folder, folder / "rows.csv", target, "m")
    except OperationError as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert (folder / "models").exists() == (not refusal)
    assert refusal or load_spec(folder / "models/m/model.yaml").target.name == target


def test_what_a_copy_of_the_target_by_other_words_is(tmp_path: Path) -> None:
    labels = pd.Series(["yes", "no", "no"] * 30)
    frame = pd.DataFrame({"flag": labels.map({"yes": 7, "no": 3}), "x": np.arange(90) * 37 % 61, "y": labels})
    path = tmp_path / "rows.csv"
    frame.to_csv(path, index=False)
    assert list(draft_table(path, "y", "m").ignored) == ["flag"]
