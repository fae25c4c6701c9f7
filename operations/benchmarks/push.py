"""Seconds from `git push` to a verified production endpoint, split by stage, against bare scripts.

Both do the same work in one run on the same machine: the build's tests, preprocess, six training jobs two at a time,
evaluate, register, deploy and verify twice. The bare scripts have no pipeline, roles, packaging or approval.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.table import Table

from ml_code.contracts import ENDPOINT_STAGES, STAGING, Variable
from ml_code.search_space import Choice, ContinuousRange, IntegerRange
from ml_code.spec import MODEL_YAML, ModelSpec, find_model, load_spec
from operations import delivery
from operations.commands import command, parse_exports
from operations.errors import OperationError, run
from operations.factory import (
    PROJECT,
    Factory,
    Model,
    deploy_environment,
    deployed_factory,
    release_records,
)
from operations.quotas import compare, request

TESTS = ["-m", "pytest", "-q", "tests/model"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=4566)
    port = parser.parse_args().port
    console = Console()
    command("make", "up", f"PORT={port}")
    try:
        os.environ.update(parse_exports(command("make", "--no-print-directory", "env")))
        command("make", "deploy")
        factory = deployed_factory()
        model = factory.model()
        first = delivery.latest_execution_id(model.prefix)
        if delivery.follow(model.prefix, first, approve_as="bench") != "Succeeded":
            raise OperationError("The first delivery failed: `make status` says where.")
        report(console, factory, model, port)
    finally:
        command("make", "down")


def report(console: Console, factory: Factory, model: Model, port: int) -> None:
    memory = PeakMemory()
    with memory:
        stages = time_push(factory, model, port)
    bare = time_bare_scripts(factory, model)
    console.print(_table("git push → verified production endpoint", stages))
    console.print(_table("the same work by bare scripts", bare))
    ratio = sum(stages.values()) / sum(bare.values())
    console.print(
        f"push / bare scripts: {ratio:.2f}; peak memory of all processes: {memory.peak_mib:.0f} MiB"
    )


def time_push(factory: Factory, model: Model, port: int) -> dict[str, float]:
    """Push a changed model to the running factory and time its delivery."""
    with tempfile.TemporaryDirectory() as directory:
        clone = Path(directory) / "clone"
        command("git", "clone", "--quiet", f"http://localhost:{port}/v1/repos/{factory.name}", str(clone))
        description = find_model(clone) / MODEL_YAML
        description.write_text(description.read_text().replace("seed: ", "seed: 1", 1))
        git = ("git", "-c", "user.name=bench", "-c", "user.email=bench@example.com")
        command(*git, "commit", "--quiet", "--all", "--message", "Another seed", directory=clone)
        seen = delivery.execution_ids(model.prefix)
        start = time.monotonic()
        command("git", "push", "--quiet", "origin", "HEAD:main", directory=clone)
        execution = delivery.latest_execution_id(model.prefix, started_after=seen)
        status = delivery.follow(model.prefix, execution, approve_as="bench")
        total = time.monotonic() - start
    if status != "Succeeded":
        raise OperationError(f"The pushed delivery ended {status}: `make status` says where.")
    stages = {stage.name: stage.seconds for stage in delivery.stage_results(model.prefix, execution)}
    return {**stages, "between the stages": total - sum(stages.values())}


def time_bare_scripts(factory: Factory, model: Model) -> dict[str, float]:
    """The jobs' and the deployment's scripts, run by hand one after the other as the administrator."""
    # Two endpoints beside the factory's two, which take all that a new account may have.
    concurrency = "Maximum total concurrency that can be allocated across all serverless endpoints"
    [*request(compare({concurrency: 20}))]
    spec = load_spec()
    released = release_records(factory, model).read()[-1]
    timings: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        environment = {**os.environ, **deploy_environment(model, STAGING)}

        def timed(title: str, action: Callable[[], object]) -> None:
            start = time.monotonic()
            action()
            timings[title] = time.monotonic() - start

        def module(*arguments: str, extra: Mapping[str, str] | None = None) -> None:
            python(*arguments, environment={**environment, **(extra or {})})

        timed("tests", lambda: python(*TESTS, environment=environment))
        execution = [
            "--execution-arn",
            f"bench-{time.time():.0f}",
            "--commit",
            "bench",
            "--trigger-reason",
            "bench",
        ]
        timed("preprocess", lambda: module("-m", "ml_code.jobs.preprocess", *preprocess_arguments(work)))
        timed("train", lambda: train_all(spec, work, environment, execution))
        timed(
            "evaluate", lambda: module("-m", "ml_code.jobs.evaluate", *evaluate_arguments(work), *execution)
        )
        timed(
            "register",
            lambda: module(
                "-m", "ml_code.jobs.register", *register_arguments(work, released.code_uri), *execution
            ),
        )
        version = json.loads((work / "version" / "version.json").read_text())["version"]
        for stage in ENDPOINT_STAGES:
            # Neither is the stage `production`, whose alias stays where the push has put it.
            extra = {Variable.ENDPOINT_NAME: f"{model.prefix}-bench-{stage}", Variable.STAGE: STAGING}
            timed(
                f"release {stage}",
                lambda extra=extra: module(  # type: ignore[misc]
                    "-m", "ml_code.release.release", "--version", str(version), extra=extra
                ),
            )
    return timings


def preprocess_arguments(work: Path) -> list[str]:
    outputs = [
        part
        for name in ("train", "validation", "test", "dataset")
        for part in (f"--{name}-out", str(work / name))
    ]
    return [
        "--data-dir",
        str(find_model() / "data"),
        "--data-uri",
        "file",
        "--data-version",
        "bench",
        *outputs,
    ]


def train_all(spec: ModelSpec, work: Path, environment: Mapping[str, str], execution: list[str]) -> None:
    """Train as many times as the tuning job, as many at a time; points spread over the search space."""

    def train(job: int) -> None:
        share = (job + 0.5) / spec.job_count
        names = (name.removeprefix("--").replace("-", "_") for name in execution[::2])
        hyperparameters = {
            **{name: point(found, share) for name, found in spec.search.items()},
            **dict(zip(names, execution[1::2], strict=True)),
        }
        variables = {
            "SM_HPS": json.dumps(hyperparameters),
            "SM_CHANNEL_TRAIN": str(work / "train"),
            "SM_CHANNEL_VALIDATION": str(work / "validation"),
            "SM_MODEL_DIR": str(work / "models" / str(job)),
            "TRAINING_JOB_NAME": f"bench-{job}",
            "OMP_NUM_THREADS": "1",
        }
        python("-m", "ml_code.jobs.train", environment={**environment, **variables})

    with ThreadPoolExecutor(spec.tuning.max_parallel_jobs) as pool:
        list(pool.map(train, range(spec.job_count)))
    model = work / "model"
    model.mkdir()
    command("tar", "-czf", str(model / "model.tar.gz"), "-C", str(work / "models" / "0"), ".")


def point(found: IntegerRange | ContinuousRange | Choice, share: float) -> Any:
    if isinstance(found, Choice):
        return found.values[int(share * len(found.values))]
    value = found.minimum + share * (found.maximum - found.minimum)
    return round(value) if isinstance(found, IntegerRange) else value


def evaluate_arguments(work: Path) -> list[str]:
    names = ("model", "train", "validation", "test", "dataset")
    inputs = [part for name in names for part in (f"--{name}-dir", str(work / name))]
    return [
        *inputs,
        "--evaluation-out",
        str(work / "evaluation"),
        "--exit-message-file",
        str(work / "message"),
    ]


def register_arguments(work: Path, code_uri: str) -> list[str]:
    inputs = [part for name in ("evaluation", "dataset") for part in (f"--{name}-dir", str(work / name))]
    return [*inputs, "--version-out", str(work / "version"), "--code-uri", code_uri]


def python(*arguments: str, environment: Mapping[str, str]) -> None:
    command(sys.executable, *arguments, environment=environment)


class PeakMemory:
    """The largest sum, sampled, of what all processes below this folder's local AWS hold (PSS: shared pages once)."""

    def __init__(self) -> None:
        self.peak_mib = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stop.wait(0.5):
            self.peak_mib = max(self.peak_mib, sum(map(_pss_mib, Path("/proc").glob("[0-9]*"))))


def _pss_mib(process: Path) -> float:
    """The process's share of memory in MiB; 0 when it is of another project, or has just ended."""
    try:
        if (
            str(PROJECT).encode()
            not in (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        ):
            return 0.0
        rollup = (process / "smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


def _table(title: str, timings: Mapping[str, float]) -> Table:
    table = Table(title=title, title_justify="left", show_footer=True)
    table.add_column("part", footer="all", overflow="fold")
    table.add_column("seconds", footer=f"{sum(timings.values()):.1f}", justify="right")
    for part, seconds in timings.items():
        table.add_row(part, f"{seconds:.1f}")
    return table


if __name__ == "__main__":
    run(main)
