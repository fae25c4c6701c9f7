"""Preprocess and training by the number of rows and hosts: seconds, CPU seconds, peak memory of all processes, ROC AUC.

Hosts are processes on this machine, with an address of the loopback range each. The data are made: 20 mixed columns.
Polars reads the same CSV files once and writes them once as Parquet; it checks and splits nothing.
"""

import argparse
import itertools
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.csv as arrow_csv
from numpy.typing import NDArray
from rich.console import Console

from ml_code.jobs.parts import part_files
from operations.table import print_table

ROWS = (100_000, 1_000_000)
FILES = 4
CHUNK_ROWS = 250_000
SAMPLE_SECONDS = 0.05
TURNS = 3
SEEDS = range(1, 6)
BLOCKS = itertools.cycle(random.sample(range(1, 250), 249))
KINDS = ("red", "green", "blue", "black", "white", "grey")
MODEL_YAML = f"""
name: made
target: {{name: y, type: boolean}}
features:
  - {{name: "number_{{1..8}}", type: number}}
  - {{name: "count_{{1..4}}", type: integer, constraints: {{minimum: 0}}}}
  - {{name: kind_1, type: string, constraints: {{enum: [{", ".join(KINDS)}]}}}}
  - {{name: kind_2, type: string, constraints: {{enum: [{", ".join(KINDS)}]}}}}
  - {{name: kind_3, type: string, constraints: {{enum: [{", ".join(KINDS)}]}}}}
  - {{name: flag_1, type: boolean}}
  - {{name: flag_2, type: boolean}}
  - {{name: day, type: date}}
ignored: [note]
split: {{train: 0.6, validation: 0.2, test: 0.2}}
seed: 1
estimator: xgboost.XGBClassifier
hyperparameters: {{max_depth: 6, n_jobs: 1, subsample: 0.8}}
search: {{n_estimators: {{type: integer, minimum: 5, maximum: 300}}}}
tuning: {{strategy: Random, max_jobs: 1, max_parallel_jobs: 1}}
objective: {{metric: roc_auc}}
gate: {{metric: roc_auc, threshold: 0.5}}
"""
POLARS = "import sys, polars; polars.read_csv(sys.argv[1] + '/*.csv').write_parquet(sys.argv[2], compression='snappy')"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """The use of all processes together."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    """The sum at one time."""
    largest_bytes: int
    """The peak of the largest process."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m operations.benchmarks.scale", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    parser.add_argument("--json", type=Path, help="write the measurements there, too")
    arguments = parser.parse_args()
    console = Console()
    table: list[tuple[str, str, Measured]] = []
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory(prefix="bench-scale-") as folder:
            scores: dict[int, list[float]] = {1: [], 2: []}
            found = measure_rows(Path(folder), rows, scores)
            table += [(f"{rows:,}", name, measured) for name, measured in found]
        console.print(
            f"{rows:,} rows, ROC AUC of the test part: {min(scores[1]):.5f} to {max(scores[1]):.5f} "
            f"on one host with {len(SEEDS)} seeds, {scores[2][0]:.5f} on two"
        )
    lines = [
        (rows, name, f"{m.seconds:.1f}", f"{m.cpu_seconds:.1f}", f"{m.peak_bytes / 1e6:,.0f}", f"{m.largest_bytes / 1e6:,.0f}")
        for rows, name, m in table
    ]  # fmt: skip
    columns = ("rows", "what", "seconds", "CPU seconds", "peak MB, all", "peak MB, largest")
    print_table(console, "Scale", columns, lines)
    if arguments.json:
        arguments.json.write_text(
            json.dumps([{"rows": rows, "what": name, **vars(m)} for rows, name, m in table], indent=2)
        )


def measure_rows(
    folder: Path, rows: int, scores: Mapping[int, list[float]]
) -> Iterator[tuple[str, Measured]]:
    """Yield what is measured, and add to `scores`, by the number of hosts, the ROC AUC of a model of each seed."""
    (folder / "model.yaml").write_text(MODEL_YAML)
    write_data(folder / "raw", rows)
    for count in (1, 2):
        # Others each time: a port that was just closed cannot be listened on for a minute.
        block = f"127.7.{next(BLOCKS)}"
        names = [f"{block}.{number}" for number in range(1, count + 1)]
        for number, name in enumerate(names):
            (folder / name / "data").mkdir(parents=True)
            for path in sorted((folder / "raw").iterdir())[number::count]:
                os.link(path, folder / name / "data" / path.name)
        word = "1 host" if count == 1 else f"{count} hosts"
        commands = [_command("preprocess", folder, name, names) for name in names]
        if count == 1:
            polars = [sys.executable, "-c", POLARS, str(folder / "raw"), str(folder / "polars.parquet")]
            yield from in_turns({"Polars, read and write": [polars], "preprocess, 1 host": commands}).items()
        else:
            yield f"preprocess, {word}", measure(commands)
        _spread_train_shards(folder, names)
        yield (
            f"XGBoost, 50 trees, {word}",
            measure([_command("train", folder, name, names) for name in names]),
        )
        scores[count].append(_score(folder, names))
        if count == 1:
            for seed in SEEDS[1:]:
                run_all([[*_command("train", folder, name, names), "--seed", str(seed)] for name in names])
                scores[count].append(_score(folder, names))
        for name in names:
            shutil.rmtree(folder / name)


def _command(job: str, folder: Path, name: str, names: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "operations.benchmarks.scale_host", job, str(folder), name, *names]


def _score(folder: Path, names: Sequence[str]) -> float:
    return float(run_all([_command("score", folder, names[0], names)])[0].splitlines()[-1])


def _spread_train_shards(folder: Path, names: Sequence[str]) -> None:
    """Give each host its files of the train part, as ShardedByS3Key does."""
    shards = sorted(path for name in names for path in part_files(folder / name / "train", "train"))
    shards.sort(key=lambda path: path.name)
    for number, path in enumerate(shards):
        target = folder / names[number % len(names)] / "shard"
        target.mkdir(exist_ok=True)
        shutil.move(path, target / path.name)


def write_data(folder: Path, rows: int) -> None:
    folder.mkdir()
    chance = np.random.default_rng(rows)
    for number in range(FILES):
        writer = None
        left = rows // FILES
        while left > 0:
            table = made(min(left, CHUNK_ROWS), chance)
            # Quotes only where a cell needs them, as most programs write CSV: none here does.
            options = arrow_csv.WriteOptions(quoting_style="none", quoting_header="none")
            writer = writer or arrow_csv.CSVWriter(
                folder / f"rows-{number}.csv", table.schema, write_options=options
            )
            writer.write_table(table)
            left -= len(table)
        if writer is not None:
            writer.close()


def made(rows: int, chance: np.random.Generator) -> pa.Table:
    numbers = {f"number_{place}": chance.normal(size=rows).round(6) for place in range(1, 9)}
    columns: dict[str, object] = {
        name: pa.array(values, mask=chance.random(rows) < 0.02) for name, values in numbers.items()
    }
    columns |= {f"count_{place}": chance.integers(0, 100_000, rows) for place in range(1, 5)}
    for place in range(1, 4):
        columns[f"kind_{place}"] = _dictionary(chance.integers(0, len(KINDS), rows), KINDS)
    for place in (1, 2):
        columns[f"flag_{place}"] = chance.random(rows) < 0.3
    days = [str(np.datetime64("2020-01-01") + day) for day in range(2000)]
    columns["day"] = _dictionary(chance.integers(0, len(days), rows), days)
    columns["note"] = _dictionary(chance.integers(0, 50, rows), [f"note {place}" for place in range(50)])
    score = numbers["number_1"] + 0.5 * numbers["number_2"] * numbers["number_3"] + chance.normal(size=rows)
    columns["y"] = score > 1
    return pa.table(columns)


def _dictionary(codes: NDArray[np.int64], texts: Sequence[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(codes, list(texts)).cast(pa.string())


def in_turns(commands: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, Measured]:
    """Measure each several times, in turns, so that a busy machine slows down all alike; return the median by seconds."""
    turns: dict[str, list[Measured]] = {name: [] for name in commands}
    for _ in range(TURNS):
        for name, several in commands.items():
            turns[name].append(measure(several))
    return {name: sorted(each, key=lambda one: one.seconds)[TURNS // 2] for name, each in turns.items()}


def measure(commands: Sequence[Sequence[str]]) -> Measured:
    start = time.monotonic()
    processes = _started(commands)
    with _memory(processes) as peaks:
        usages = [usage for _, usage in _ended(processes)]
    return Measured(
        seconds=time.monotonic() - start,
        cpu_seconds=sum(usage.ru_utime + usage.ru_stime for usage in usages),
        peak_bytes=peaks[0],
        largest_bytes=max(usage.ru_maxrss * 1024 for usage in usages),
    )


def run_all(commands: Sequence[Sequence[str]]) -> list[str]:
    """Return what they print; RuntimeError has the output of one that fails."""
    return [output for output, _ in _ended(_started(commands))]


def _started(commands: Sequence[Sequence[str]]) -> list["subprocess.Popen[str]"]:
    return [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for command in commands
    ]


def _ended(processes: Sequence["subprocess.Popen[str]"]) -> list[tuple[str, resource.struct_rusage]]:
    """The output and the use of each; where one fails, the others, which would wait for it, are killed."""
    ended = []
    for process in processes:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            for other in processes:
                other.kill()
            raise RuntimeError(output)
        ended.append((output, usage))
    return ended


@contextmanager
def _memory(processes: Sequence["subprocess.Popen[str]"]) -> Iterator[list[int]]:
    """The largest sum of what the processes have at one time."""
    peaks, ended = [0], threading.Event()
    watched = [psutil.Process(process.pid) for process in processes]

    def watch() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            total = 0
            for process in watched:
                try:
                    total += process.memory_info().rss
                except psutil.Error:
                    continue
            peaks[0] = max(peaks[0], total)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peaks
    finally:
        ended.set()
        watcher.join()


if __name__ == "__main__":
    main()
