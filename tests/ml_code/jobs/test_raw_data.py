"""Raw data as people keep it: read, or refused by name, never passed over without a word."""

import gzip
import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_code.jobs.preprocess import read_folder
from ml_code.raw_files import RawFileError, files_below, select
from ml_code.table.columns import Column, Schema, SchemaError

SCHEMA = Schema(
    (
        Column(name="a", required=True, minimum=0, maximum=100),
        Column(name="b", required=True, minimum=0, maximum=100),
        Column(name="y", required=True, type="integer", minimum=0, maximum=1),
    )
)
GOOD = "a,b,y\n1.5,2,0\n3.5,4,1\n5.5,6,0\n"
UNLOAD = "20261127_101500_00007_abcde_0001"


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("y.CSV", GOOD),
        ("y.csv.gz", gzip.compress(GOOD.encode(), mtime=0)),
        ("y.Csv.GZ", GOOD),
        ("year=2026/month=01/y.csv", GOOD),
        (UNLOAD, GOOD),
        (f"{UNLOAD}.gz", gzip.compress(GOOD.encode(), mtime=0)),
        ("part-00000", gzip.compress(GOOD.encode(), mtime=0)),
        ("windows.csv", GOOD.replace("\n", "\r\n").encode("utf-8-sig")),
        ("macintosh.csv", GOOD.replace("\n", "\r")),
        ("quoted.csv", '"a","b","y"\n"1.5","2","0"\n"3.5","4","1"\n\n"5.5","6","0"'),
        ("spaces.csv", GOOD.replace(",", ", ")),
        ("turned.csv", "y,b,a\n0,2,1.5\n1,4,3.5\n0,6,5.5\n"),
    ],
)
def test_a_file_of_any_of_these_names_and_kinds_is_read(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    frame = read_folder(write(tmp_path, {"x.csv": GOOD, name: content}), SCHEMA)
    expected = [[1.5, 2, 0], [3.5, 4, 1], [5.5, 6, 0]]
    assert frame.to_numpy().tolist() == expected * 2


@pytest.mark.parametrize(
    "name", ["x.orc", "x.xlsx", "x.csv.zip", "x.json.gz", "x.csv.bak", "x.tsv", "notes/readme.md"]
)
def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"x.csv": GOOD, name: GOOD})
    with pytest.raises(
        RawFileError, match=rf"'{name}' cannot be read as raw data; allowed: \.csv, \.csv\.gz"
    ):
        read_folder(tmp_path, SCHEMA)


def test_hidden_files_are_left_out_and_named(tmp_path: Path) -> None:
    hidden = [".ipynb_checkpoints/x-checkpoint.csv", "2026_$folder$", "_SUCCESS", "b/.DS_Store"]
    write(tmp_path, {"x.csv": GOOD, **dict.fromkeys(hidden, GOOD.replace("1.5", "9.5"))})
    assert len(read_folder(tmp_path, SCHEMA)) == 3
    files = files_below(tmp_path)
    assert (files.data, files.left_out) == (["x.csv"], hidden)
    assert files.remark.startswith(
        "left out, as names that begin with . or _ are no data: '.ipynb_checkpoints/"
    )


def test_folders_are_no_files() -> None:
    assert select(["", "b/", "b/x.csv"]).data == ["b/x.csv"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("a,b,y\n1.5,2,0,1\n3.5,4,1,1\n", "2 rows have more or fewer values than the 3 of the header; the first is line 2 with 4"),
        ("a,b,y\n1,2,0\n\n3,4,1,1\n", "1 row has more or fewer values than the 3 of the header; the first is line 4 with 4"),
        ("a,b,y\n1,2,0\n3,4\n", "1 row has more or fewer values than the 3 of the header; the first is line 3 with 2"),
        ("a,b,y,\n1,2,0,\n", "wrong columns: '' not expected"),
        ("a;b;y\n1;2;0\n", "wrong columns: 'a', 'b', 'y' missing; 'a;b;y' not expected"),
        ("a,a,y\n1,2,0\n", "wrong columns: 'b' missing; 'a' given twice"),
        ("1.5,2,0\n", "wrong columns: 'a', 'b', 'y' missing; '1.5', '2', '0' not expected"),
        ("", "it is empty"),
        ("a,b,y\n", "there are no rows; send at least one"),
        ("a,b,y\n1,,0\n", "column 'b' breaks the rule required in 1 of 1 rows: row 1 has ''; give a number from 0 to 100"),
        (GOOD.encode("utf-16"), "it is not text in UTF-8 (invalid start byte): save it as CSV in UTF-8"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-9], "it is damaged: Compressed file ended before"),
        (gzip.compress(GOOD.encode(), mtime=0)[:12] + b"x" * 20, "it is damaged: "),
        ("a,b,y\n1,2," + "9" * 140_000 + "\n", "line 2: field larger than field limit"),
        ('a,b,y\n"1,2,0\n1,2,0\n', "1 row has more or fewer values than the 3 of the header; the first is line 3"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_said_with_its_name(
    tmp_path: Path, content: str | bytes, sentence: str
) -> None:
    write(tmp_path, {"good.csv": GOOD, "sub/bad.csv": content})
    with pytest.raises(SchemaError) as error:
        read_folder(tmp_path, SCHEMA)
    assert str(error.value).startswith(f"'sub/bad.csv': {sentence}")
    assert "\n" not in str(error.value)


def test_no_data_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        RawFileError, match=r"no raw data in .*: put files of \.csv, \.csv\.gz, \.parquet, or no extension"
    ):
        read_folder(write(tmp_path, {"_SUCCESS": ""}), SCHEMA)


pieces = st.sampled_from(
    ["a", "b", "y", "0", "1", "2.5", "nan", "1e999", "x", "", " ", '"', '"1"', ",", "\r", "\0", "é"]
)
lines = st.lists(pieces, max_size=5).map(",".join) | st.just("1.5,2,0") | st.just("a,b,y")
texts = st.lists(lines, max_size=5).map("\n".join)
contents = (
    st.binary(max_size=60)
    | texts.map(str.encode)
    | texts.map(lambda text: f"a,b,y\n{text}".encode())
    | texts.map(lambda text: f"a,b,y\n{text}".encode("utf-16"))
    | texts.map(lambda text: gzip.compress(f"a,b,y\n{text}".encode(), mtime=0))
    | st.binary(max_size=40).map(lambda end: gzip.compress(GOOD.encode(), mtime=0)[:30] + end)
)


@settings(max_examples=200, deadline=None)
@given(contents)
def test_no_content_ends_in_a_stack_trace(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            frame = read_folder(write(Path(folder), {"x.csv": content}), SCHEMA)
        except SchemaError as error:
            said = str(error)
        else:
            assert list(frame.columns) == SCHEMA.names
            assert pd.notna(frame).all(axis=None)
            return
    assert said.startswith("'x.csv': ")
