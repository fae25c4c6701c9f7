"""`make history`: the versions in production, from when to when, approved by whom and why."""

import argparse
from collections.abc import Iterator

from rich.console import Console

from ml_code.release.records import Release
from ml_code.spec import load_spec
from operations.errors import run
from operations.factory import add_model_argument, deployed_factory, release_records
from operations.table import Row, print_table


def rows(releases: list[Release]) -> Iterator[Row]:
    """The lines of the history, the newest release first."""
    ends = [f"{release.since:%Y-%m-%d %H:%M:%S}" for release in releases[1:]] + ["now"]
    for release, end in reversed([*zip(releases, ends, strict=True)]):
        yield (
            release.version,
            f"{release.since:%Y-%m-%d %H:%M:%S}",
            end,
            release.commit[:12] or "-",
            f"{release.value:.4f}",
            release.approved_by.rpartition(":")[2] or "-",
            release.reason,
            release.archive_sha256[:12],
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_model_argument(parser)
    factory = deployed_factory()
    model = factory.model(parser.parse_args().model)
    spec, releases = load_spec(name=model.name), release_records(factory, model).read()
    columns = (
        "version",
        "from (UTC)",
        "until",
        "commit",
        spec.gate.metric,
        "approved by",
        "reason",
        "archive",
    )
    title = f"{spec.name} in production" if releases else f"{spec.name} was never in production"
    print_table(Console(), title, columns, rows(releases))


if __name__ == "__main__":
    run(main)
