"""The whole factory on this machine: start, deploy, train, approve, invoke, compare, destroy, audit.

Each step is the command that a person would type; its output goes to demo-output/demo.log.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from operations.commands import command, parse_exports
from operations.errors import OperationError, run
from operations.factory import PROJECT, deployed_factory

OUTPUT = PROJECT / "demo-output"
KEPT = """The local AWS and the factory are up.
To work with them:  eval "$(make env)"; make status; make mlflow
To stop all of it:  make down"""


class Timeline:
    """The parts of the demo, and the seconds of each."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.rows: list[tuple[str, float]] = []

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self.console.print(f"[bold]{title}[/] …")
        start = time.monotonic()
        yield
        self.add(title, time.monotonic() - start)

    def add(self, title: str, seconds: float) -> None:
        self.rows.append((title, seconds))
        self.console.print(f"  {title}: {seconds:.1f} s")

    def print(self) -> None:
        table = Table(title="Timeline")
        table.add_column("stage", overflow="fold")
        table.add_column("seconds", justify="right")
        for title, seconds in self.rows:
            table.add_row(title, f"{seconds:.1f}")
        self.console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--keep", action="store_true", help="leave the local AWS and the factory up")
    arguments = parser.parse_args()
    console = Console()
    timeline = Timeline(console)
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "demo.log").write_text("")
    kept = False
    try:
        with timeline.step("start the local AWS"):
            shell("make", "up", f"PORT={arguments.port}")
        os.environ.update(parse_exports(shell("make", "--no-print-directory", "env", secret=True)))
        tour(console, timeline, keep=arguments.keep)
        kept = arguments.keep
    finally:
        if not kept:
            console.print(shell("make", "--no-print-directory", "down").strip(), highlight=False)
    timeline.print()
    console.print(f"Left for you in {OUTPUT.name}/: verification.png, .html and .json, demo.log")
    if kept:
        console.print(KEPT, markup=False, highlight=False)


def tour(console: Console, timeline: Timeline, *, keep: bool) -> None:
    """Deploy a factory, deliver, verify, and destroy it, unless it is kept."""
    from operations import delivery  # AWS clients need the environment of the local AWS
    from operations.audit import left_of
    from operations.failures import failure_lines
    from operations.verify import fetch_verification, invoke_once

    with timeline.step("cdk bootstrap and cdk deploy"):
        shell("make", "deploy")
    factory = deployed_factory()
    model = factory.model()

    def on_stage(stage: delivery.StageResult) -> None:
        timeline.add(f"{model.prefix} pipeline: {stage.name} {stage.status}", stage.seconds)

    console.print("[bold]The seeded repository started the delivery pipeline[/] …")
    execution = delivery.latest_execution_id(model.prefix)
    status = delivery.follow(model.prefix, execution, approve_as="make demo", on_stage=on_stage)
    if status != "Succeeded":
        why = "\n".join(failure_lines(model.prefix, execution))
        raise OperationError(
            f"The delivery pipeline ended {status}. {why}\nSee {OUTPUT.name}/ and `make logs`."
        )

    with timeline.step("invoke the production endpoint"):
        console.print(f"  {invoke_once(model)}", markup=False)  # brackets are lists
    release, run_url = fetch_verification(factory, model, OUTPUT)
    verification = json.loads((OUTPUT / "verification.json").read_text())
    console.print(
        f"  version {release.version}, commit {release.commit[:12]}: {verification['metric']} "
        f"{verification['value']:.4f} on {verification['n']} held-out samples"
    )
    if keep:
        console.print(f"  MLflow run: {run_url}", soft_wrap=True)
        return
    with timeline.step("cdk destroy"):
        shell("make", "destroy")
    with timeline.step("audit"):
        left = left_of(factory.name)
    if left:
        raise OperationError("The audit found what cdk destroy left: " + ", ".join(left))
    console.print("  audit: nothing left")


def shell(*words: str, secret: bool = False) -> str:
    """Run as `command` does, with the output kept in demo.log."""

    def keep(output: str) -> None:
        with (OUTPUT / "demo.log").open("a") as log:
            log.write(f"$ {' '.join(words)}\n{'' if secret else output}\n")

    return command(*words, on_output=keep)


if __name__ == "__main__":
    run(main)
