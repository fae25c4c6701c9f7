"""The two stages of one host: rows that wait on its volume, and the parts that they are written into."""

from pathlib import Path
from typing import Any

import pytest

from ml_code.jobs import part_writer
from ml_code.jobs.hosts import HostError
from ml_code.jobs.parts import PARTS, part_file, read_part
from ml_code.jobs.shard import Shard
from ml_code.spec import load_spec
from tests.ml_code.table.test_bad_data import MODEL_YAML, rows, text

ROWS = 300
NAME = "0.csv"
GAPS = frozenset({"distance"})


def checked(folder: Path, shard_count: int = 2) -> Shard:
    (folder / "data").mkdir(parents=True)
    (folder / "model.yaml").write_text(MODEL_YAML)
    (folder / "data" / NAME).write_text(text(rows(ROWS)))
    shard = Shard(
        load_spec(folder / "model.yaml"),
        folder / "data",
        folder / "work",
        {name: folder / name for name in PARTS},
        shard_count,
    )
    assert not shard.check(NAME).fault
    return shard


def written(shard: Shard) -> dict[str, Any]:
    counts = shard.write([NAME], GAPS, {}).rows
    frames = {name: read_part(shard.work / name, name) for name in PARTS}
    assert counts == {name: len(frame) for name, frame in frames.items()}
    return frames


@pytest.mark.parametrize("group_bytes", [1, 1_000, 1 << 24])
def test_rows_are_the_same_however_many_are_written_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group_bytes: int
) -> None:
    whole = written(checked(tmp_path / "whole"))
    monkeypatch.setattr(part_writer, "GROUP_BYTES", group_bytes)
    grouped = written(checked(tmp_path / "grouped"))
    assert sum(map(len, grouped.values())) == ROWS
    for name in PARTS:
        assert grouped[name].equals(whole[name])
        assert grouped[name].dtypes.equals(whole[name].dtypes)


@pytest.mark.parametrize("group_bytes", [1_000, 1 << 24])
@pytest.mark.parametrize("part", ["train", "test"])
def test_a_full_disk_is_the_reason_of_a_failed_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, group_bytes: int
) -> None:
    monkeypatch.setattr(part_writer, "GROUP_BYTES", group_bytes)
    shard = checked(tmp_path)
    (shard.work / part).mkdir()
    name = part_file(part, 0, 0) if part == "train" else part_file(part)
    (shard.work / part / name).symlink_to("/dev/full")
    with pytest.raises(HostError, match=r"cannot write the rows to its volume, .*No space left on device"):
        shard.write([NAME], GAPS, {})


@pytest.mark.parametrize("kind", ["rows", "places"])
def test_rows_that_were_cut_on_the_volume_are_never_published(tmp_path: Path, kind: str) -> None:
    shard = checked(tmp_path)
    (kept,) = shard.work.glob(f"*.{kind}")
    kept.write_bytes(kept.read_bytes()[:-8])
    with pytest.raises(HostError, match=f"reads fewer rows of '{NAME}' from its volume than it wrote"):
        shard.write([NAME], GAPS, {})
