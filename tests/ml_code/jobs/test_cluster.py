"""Preprocess on several hosts: the same parts as on one, and no fault that hangs."""

import contextlib
import itertools
import json
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ml_code.jobs import cluster
from ml_code.jobs.parts import PARTS, part_files, read_part
from tests.ml_code.jobs.hosts_of_a_job import started
from tests.ml_code.table.test_bad_data import MODEL_YAML, rows, text

pytestmark = [
    pytest.mark.slow,  # each test starts several processes as the hosts of a job
    pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is loopback on Linux only"),
]
PROGRAM = Path(__file__).with_name("host_process.py")
# Not the same ones again at once: a port that was just closed cannot be listened on for a minute.
BLOCKS = itertools.cycle(random.sample(range(1, 250), 249))


@contextlib.contextmanager
def hosts(folder: Path, count: int, kind: str = "good") -> Iterator[list["subprocess.Popen[str]"]]:
    block = next(BLOCKS)
    names = [f"127.8.{block}.{number}" for number in range(1, count + 1)]
    for number, name in enumerate(names):
        (folder / name / "data").mkdir(parents=True)
        for place, path in enumerate(sorted((folder / "raw").iterdir())):
            if place % count == number:
                (folder / name / "data" / path.name).write_bytes(path.read_bytes())
    with (
        socket.create_server((names[0], cluster.SCHEDULER_PORT))
        if kind == "taken"
        else contextlib.nullcontext(),
        started(PROGRAM, folder, names, kind) as processes,
    ):
        yield processes


def run(folder: Path, count: int, kind: str = "good") -> list[tuple[int, str]]:
    """The exit code and the output of each host, within a minute."""
    with hosts(folder, count, kind) as processes:
        outputs = [process.communicate(timeout=60)[0] for process in processes]
        return [(process.returncode, output) for process, output in zip(processes, outputs, strict=True)]


def prepare(folder: Path, files: dict[str, str], model: str = MODEL_YAML) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "model.yaml").write_text(model)
    (folder / "raw").mkdir()
    for name, content in files.items():
        (folder / "raw" / name).write_text(content, encoding="utf-8")
    return folder


def tables(count: int, files: int) -> dict[str, str]:
    table = rows(count)
    return {f"{number}.csv": text(table[number::files]) for number in range(files)}


def whole_parts(folder: Path) -> dict[str, pd.DataFrame]:
    """The rows of all hosts, in an order that does not depend on who wrote them."""
    found = {}
    for part in PARTS:
        frames = [
            read_part(path, part) for path in sorted(folder.glob(f"127.*/{part}")) if part_files(path, part)
        ]
        frame = pd.concat(frames, ignore_index=True)
        found[part] = frame.astype(str).sort_values(list(frame.columns)).reset_index(drop=True)
    return found


@pytest.mark.parametrize("by", ["content", "target", "{time: left}", "{group: temp}"])
def test_two_hosts_write_the_parts_of_one(tmp_path: Path, by: str) -> None:
    model = MODEL_YAML.replace("test: 0.2}", f"test: 0.2, by: {by}}}")
    files = tables(400, 3)
    alone = prepare(tmp_path / "alone", files, model)
    both = prepare(tmp_path / "both", files, model)
    for folder, count in ((alone, 1), (both, 2)):
        for code, output in run(folder, count):
            assert code == 0, output
    expected, found = whole_parts(alone), whole_parts(both)
    for part in PARTS:
        pd.testing.assert_frame_equal(found[part], expected[part])
    one, two = (json.loads((folder / "dataset.json").read_text()) for folder in (alone, both))
    for name in ("data_sha256", "rows", "files", "schema"):
        assert one[name] == two[name], name
    assert two["preprocess"]["hosts"] == 2
    assert sorted(path.name for path in both.glob("127.*/train/*")) == [
        f"train-0000{host}-0000{shard}.parquet" for host in range(2) for shard in range(2)
    ]


def test_a_host_without_a_file_and_one_that_comes_late(tmp_path: Path) -> None:
    folder = prepare(tmp_path, tables(200, 1))
    for code, output in run(folder, 3, "late"):
        assert code == 0, output
    assert json.loads((folder / "dataset.json").read_text())["rows"] == {
        part: len(read_part(next(folder.glob("127.8.*.1")) / part, part)) for part in PARTS
    }


def failure(outputs: Sequence[tuple[int, str]]) -> str:
    """The sentence of the leader; no process is left."""
    code, output = outputs[0]
    assert code == 1, output
    return output.strip().splitlines()[-1]


def no_parts(folder: Path) -> bool:
    return not [*folder.glob("127.*/*/*.parquet"), *folder.glob("127.*/.work"), *folder.glob("dataset.json")]


@pytest.mark.parametrize("kind", ["killed", "killed-while-writing", "killed-in-the-last-write"])
def test_a_killed_host_fails_the_job_by_its_name_and_the_others_take_back_what_they_wrote(
    tmp_path: Path, kind: str
) -> None:
    folder = prepare(tmp_path, tables(200, 4))
    outputs = run(folder, 3, kind)
    assert [code for code, _ in outputs] == [1, 0, -signal.SIGKILL], outputs
    assert re.search(r"^HostError: 127\.8\.\d+\.3 is lost: its process ended", failure(outputs))
    assert not [*folder.glob("127.8.*.[12]/*/*.parquet"), *folder.glob("dataset.json")]


@pytest.mark.parametrize("kind", ["missing", "too-late"])
def test_a_host_that_does_not_come_in_time_is_named(tmp_path: Path, kind: str) -> None:
    folder = prepare(tmp_path, tables(200, 2))
    outputs = run(folder, 2, kind)
    assert failure(outputs).endswith(".2 did not start within 4 s")
    assert all(".1, which leads the job, did not start within 4 s" in output for _, output in outputs[1:])


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    folder = prepare(tmp_path, tables(200, 1))
    found = failure(run(folder, 2, "taken"))
    assert re.search(r"HostError: the scheduler cannot listen on (127\.8\.\d+\.1), \1:8786: .*in use", found)
    assert no_parts(folder)


def test_more_hosts_than_rows(tmp_path: Path) -> None:
    folder = prepare(tmp_path, tables(2, 2))
    assert re.search(r"SchemaError: the \w+ part has none of the 2 rows; give more", failure(run(folder, 4)))
    assert no_parts(folder)


@pytest.mark.parametrize("kind", ["full", "full-while-writing"])
def test_a_full_disk_fails_the_job_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    folder = prepare(tmp_path, tables(200, 2))
    found = failure(run(folder, 2, kind))
    assert re.search(
        r"^HostError: 127\.8\.\d+\.2 cannot write the rows to its volume, of which .* free: ", found
    )
    assert found.endswith("If it is full, raise compute.preprocess.volume_gb")
    assert no_parts(folder)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a shard with another schema": ({"3.csv": "a,b\n1,2\n"}, "SchemaError: '3.csv': wrong columns: "),
    "a bad row in the last file": (
        {"3.csv": text([*rows(3), {**rows(1)[0], "temp": "hot"}])},
        "SchemaError: '3.csv': column 'temp' breaks the rule type number in 1 of 4 rows: row 4 has 'hot'",
    ),
    "two bad files": ({"1.csv": "a\n", "3.csv": "b\n"}, "SchemaError: '1.csv': wrong columns"),
    "a file of another kind": ({"3.xlsx": ""}, "RawFileError: '3.xlsx' cannot be read as raw data"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_of_any_host_is_named(tmp_path: Path, case: str) -> None:
    added, sentence = BAD[case]
    folder = prepare(tmp_path, {**tables(200, 4), **added})
    assert failure(run(folder, 2)).startswith(sentence)
    assert no_parts(folder)


def test_a_key_twice_on_two_hosts_is_named(tmp_path: Path) -> None:
    files = tables(200, 2)
    files["1.csv"] = files["1.csv"].replace("\n199,", "\n0,")
    assert failure(run(prepare(tmp_path, files), 2)).startswith(
        "SchemaError: column 'id' breaks the rule unique in 2 of 200 rows: row 1 of '0.csv' and row 100 of '1.csv'"
    )


def test_a_stopped_host_says_so(tmp_path: Path) -> None:
    folder = prepare(tmp_path, tables(200, 2))
    with hosts(folder, 2, "never") as processes:
        while not list(folder.glob("127.8.*.1/.work")):
            assert processes[0].poll() is None
            time.sleep(0.1)
        processes[0].send_signal(signal.SIGTERM)
        output, _ = processes[0].communicate(timeout=30)
    assert "HostError: this host was stopped" in output
