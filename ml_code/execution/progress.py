"""An execution's steps on the screen: a live table on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable

from ml_code.execution.pipeline_execution import Snapshot, StepState, utc_now


def show(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The last of the snapshots, when all have been shown."""
    return show_live(snapshots) if sys.stdout.isatty() else show_plain(snapshots)


def show_plain(snapshots: Iterable[Snapshot], write: Callable[[str], None] | None = None) -> Snapshot:
    """Print one line whenever a step changes its status."""
    started, seen = time.monotonic(), dict[str, str]()
    for current in snapshots:
        for step in current.states(utc_now()):
            if seen.get(step.name) != step.status:
                seen[step.name] = step.status
                (write or _print)(_line(step, time.monotonic() - started))
    return current


def show_live(snapshots: Iterable[Snapshot]) -> Snapshot:
    from rich.live import Live
    from rich.table import Table

    def table(current: Snapshot) -> Table:
        shown = Table("Step", "Status", "Seconds")
        for step in current.states(utc_now()):
            shown.add_row(step.name, step.status, _seconds(step))
        return shown

    with Live(refresh_per_second=4) as live:
        for current in snapshots:
            live.update(table(current))
    return current


def _line(step: StepState, elapsed_seconds: float) -> str:
    took = f" after {_seconds(step)} s" if step.status not in ("Starting", "Executing") else ""
    return f"{elapsed_seconds:6.1f} s  {step.name}: {step.status}{took}"


def _seconds(step: StepState) -> str:
    return "" if step.seconds is None else f"{step.seconds:.1f}"


def _print(line: str) -> None:
    print(line, flush=True)
