"""Who was in production from when to when, approved by whom and why: `make history`."""

from collections.abc import Iterator

from rich.console import Console

from ml_code.spec import load_spec
from ml_code.tracking import production_history
from ml_code.tracking.production_history import Period
from operations.errors import run
from operations.factory import deployed_factory, mlflow_client
from operations.table import Row, print_table


def rows(periods: list[Period], metric: str) -> Iterator[Row]:
    """Newest first."""
    for period in reversed(periods):
        yield (
            period.version,
            f"{period.since:%Y-%m-%d %H:%M:%S}",
            f"{period.until:%Y-%m-%d %H:%M:%S}" if period.until else "now",
            period.tags.get("commit", "-")[:12],
            period.tags.get(f"test_{metric}", "-"),
            period.promotion.approved_by.rpartition(":")[2] or "-",
            period.promotion.reason,
        )


def main() -> None:
    factory, spec = deployed_factory(), load_spec()
    periods = production_history.read(mlflow_client(factory), spec.name)
    metric = spec.gate.metric
    columns = ("version", "from (UTC)", "until", "commit", metric, "approved by", "reason")
    title = f"{spec.name} in production" if periods else f"{spec.name} was never in production"
    print_table(Console(), title, columns, rows(periods, metric))


if __name__ == "__main__":
    run(main)
