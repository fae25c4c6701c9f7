"""Seconds of a synthesis of the default factory, and of one with several models, against what it cannot do without.

That is a CDK app in Python with one bucket, and one import of the SageMaker SDK. All run in turns, as `cdk synth`
would run them, so that a busy machine slows down all alike.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from operations.errors import OperationError, run
from operations.factory import PROJECT

BUCKET = """
from aws_cdk import App, Stack
from aws_cdk.aws_s3 import Bucket
app = App(analytics_reporting=False)
Bucket(Stack(app, "bucket"), "Bucket")
app.synth()
"""
MODELS = 6
SEVERAL = f"""
import app
model = app.load_specs()[0]
app.load_specs = lambda: [model.model_copy(update={{"name": f"{{model.name}}{{n}}"}}) for n in range({MODELS})]
app.main()
"""
PARTS = {
    "the default factory": ["app.py"],
    f"a factory of {MODELS} models": ["-c", SEVERAL],
    "a CDK app with one bucket": ["-c", BUCKET],
    "an import of the SageMaker SDK": ["-c", "import sagemaker.mlops"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    seconds = measure(parser.parse_args().runs)
    table = Table(title="synthesis", title_justify="left")
    table.add_column("part", overflow="fold")
    table.add_column("seconds, median", justify="right")
    table.add_column("from-to", justify="right")
    for part, found in seconds.items():
        table.add_row(part, f"{statistics.median(found):.1f}", f"{min(found):.1f}-{max(found):.1f}")
    factory, several, bucket, sdk = (statistics.median(found) for found in seconds.values())
    console = Console()
    console.print(table)
    console.print(f"factory / (bucket + import): {factory / (bucket + sdk):.2f}")
    console.print(f"one model more: {(several - factory) / (MODELS - 1):.1f} s")


def measure(runs: int) -> dict[str, list[float]]:
    context = json.loads((PROJECT / "cdk.json").read_text())["context"]
    seconds: dict[str, list[float]] = {part: [] for part in PARTS}
    with tempfile.TemporaryDirectory() as outdir:
        environment = {
            **os.environ,
            "AWS_DEFAULT_REGION": "us-east-1",  # the SDK cannot be imported without one
            "CDK_CONTEXT_JSON": json.dumps(context),
            "CDK_OUTDIR": outdir,
        }
        # A developer's shell may keep Python from writing compiled files: every run would compile the SDK.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for turn in range(runs + 1):
            for part, arguments in PARTS.items():
                taken = _time(arguments, environment)
                if turn:  # the first one fills caches
                    seconds[part].append(taken)
    return seconds


def _time(arguments: list[str], environment: Mapping[str, str]) -> float:
    start = time.monotonic()
    result = subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise OperationError(f"{result.stderr[-2000:]}\n{arguments[0]} exited with {result.returncode}.")
    return time.monotonic() - start


if __name__ == "__main__":
    run(main)
