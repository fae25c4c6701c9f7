"""The work of one host: the parts that its rows are written into."""

import os
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from ml_code.jobs import part_writer
from ml_code.jobs.hosts import HostError
from ml_code.jobs.parts import PARTS, PartBlocks, part_file, part_files, read_part
from ml_code.jobs.preprocess import ThisHost, preprocess
from ml_code.jobs.shard import Shard
from ml_code.spec import load_spec
from ml_code.table import lines
from ml_code.table.columns import SchemaError
from tests.ml_code.table.test_bad_data import MODEL_YAML, rows, text

ROWS = 300
ADD = part_writer._Gathered.add  # noqa: SLF001


def shard(folder: Path, by: str = "content", shard_count: int = 2) -> Shard:
    (folder / "data").mkdir(parents=True)
    (folder / "model.yaml").write_text(MODEL_YAML.replace("test: 0.2}", f"test: 0.2, by: {by}}}"))
    for number in range(2):
        (folder / "data" / f"{number}.csv").write_text(text(rows(ROWS)[number::2]))
    return Shard(
        load_spec(folder / "model.yaml"),
        folder / "data",
        folder / "work",
        {name: folder / name for name in PARTS},
        shard_count,
    )


def written(given: Shard) -> dict[str, pd.DataFrame]:
    preprocess(ThisHost(given), given.spec, given.data)
    return {name: read_part(given.outputs[name], name) for name in PARTS}


@pytest.mark.parametrize("group_bytes", [1, 1_000, 1 << 24])
def test_rows_are_the_same_however_many_are_written_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group_bytes: int
) -> None:
    whole = written(shard(tmp_path / "whole"))
    monkeypatch.setattr(part_writer, "GROUP_BYTES", group_bytes)
    grouped = written(shard(tmp_path / "grouped"))
    assert sum(map(len, grouped.values())) == ROWS
    for name in PARTS:
        pd.testing.assert_frame_equal(grouped[name], whole[name])


@pytest.mark.parametrize("by", ["content", "target", "{time: left}", "{group: temp}"])
@pytest.mark.parametrize("count", [1, 8])
def test_neither_blocks_nor_threads_decide_about_the_rows_of_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str, count: int
) -> None:
    whole = written(shard(tmp_path / "whole", by, shard_count=1))
    monkeypatch.setattr(lines, "BLOCK_BYTES", 500)
    monkeypatch.setattr(os, "cpu_count", lambda: count)
    in_blocks = written(shard(tmp_path / "blocks", by, shard_count=1))
    for name in PARTS:
        pd.testing.assert_frame_equal(in_blocks[name], whole[name])


def test_a_gap_in_one_part_decides_about_the_types_of_all(tmp_path: Path) -> None:
    given = shard(tmp_path)
    table = [row | {"distance": row["distance"] or "5"} for row in rows(ROWS)]
    (given.data / "1.csv").write_text(text([table[0] | {"id": str(ROWS), "distance": ""}]))
    (given.data / "0.csv").write_text(text(table))
    parts = written(given)
    assert sorted(int(frame["distance"].isna().sum()) for frame in parts.values()) == [0, 0, 1]
    for name in PARTS:
        expected = {
            "carrier": "category",
            "distance": "Int64",
            "temp": "float64",
            "left": "datetime64[us]",
            "late": "bool",
        }
        assert parts[name].dtypes.astype(str).to_dict() == expected
        (in_block,) = {tuple(map(str, block.dtypes)) for block in PartBlocks(given.outputs[name], name)}
        assert in_block == tuple(expected.values())
        assert parts[name]["carrier"].cat.categories.tolist() == ["AA", "Zürich, Air"]


def test_each_row_is_in_the_next_file_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = written(shard(tmp_path / "whole", shard_count=1))["train"]
    monkeypatch.setattr(lines, "BLOCK_BYTES", 500)
    given = shard(tmp_path / "blocks", shard_count=4)
    written(given)
    for number, path in enumerate(part_files(given.outputs["train"], "train")):
        pd.testing.assert_frame_equal(pd.read_parquet(path), whole[number::4].reset_index(drop=True))


def test_many_blocks_of_few_rows_wait_in_few_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch takes memory besides that of its rows."""
    most = 0

    def add(gathered: part_writer._Gathered, batch: pa.RecordBatch) -> None:
        nonlocal most
        ADD(gathered, batch)
        assert len(batch)
        most = max(most, len(gathered.batches))

    whole = written(shard(tmp_path / "whole"))
    monkeypatch.setattr(part_writer, "MOST_BATCHES", 8)
    monkeypatch.setattr(part_writer._Gathered, "add", add)  # noqa: SLF001
    monkeypatch.setattr(lines, "BLOCK_BYTES", 50)
    in_blocks = written(shard(tmp_path / "blocks"))
    assert 8 <= most < 8 + ROWS / 8
    for name in PARTS:
        pd.testing.assert_frame_equal(in_blocks[name], whole[name])


@pytest.mark.filterwarnings("error")
def test_rows_that_are_not_allowed_are_not_written(tmp_path: Path) -> None:
    given = shard(tmp_path)
    (given.data / "1.csv").write_text(
        text([row | {"id": str(ROWS), "carrier": "XX", "distance": "1e300"} for row in rows(1)])
    )
    with pytest.raises(
        SchemaError,
        match=r"'1.csv': column 'carrier' breaks the rule enum .* column 'distance' breaks the rule",
    ):
        written(given)
    assert not any(given.outputs[part].exists() for part in PARTS)


def test_a_checked_file_holds_no_block_in_memory(tmp_path: Path) -> None:
    given = shard(tmp_path)
    given.files()
    assert [file.summary.first_row.base for file in given.check()] == [None, None]


@pytest.mark.parametrize("group_bytes", [1_000, 1 << 24])
@pytest.mark.parametrize("part", ["train", "test"])
def test_a_full_disk_is_the_reason_of_a_failed_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, group_bytes: int
) -> None:
    monkeypatch.setattr(part_writer, "GROUP_BYTES", group_bytes)
    given = shard(tmp_path)
    (given.work / part).mkdir(parents=True)
    name = part_file(part, 0, 0) if part == "train" else part_file(part)
    (given.work / part / name).symlink_to("/dev/full")
    with pytest.raises(HostError, match=r"cannot write the rows to its volume, .*No space left on device"):
        written(given)
