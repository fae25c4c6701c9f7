"""The end-to-end tests of a factory's life, against the account that the shell points to: `make test-aws`.

A factory of its own name is deployed, tried, and destroyed; the audit tells what is left, also after a failure.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from operations import quotas
from operations.account import say_account
from operations.errors import OperationError, run
from operations.factory import PROJECT

TESTS = "tests/e2e/test_factory.py"
NOT_HERE = "not local_aws"
TRANSFORM_QUOTA = "ml.m5.large for transform job usage"
VERIFIED = "docs/verified-on-aws.json"


@dataclass(frozen=True)
class Expense:
    what: str
    hours: float
    usd_per_hour: float

    @property
    def usd(self) -> float:
        return self.hours * self.usd_per_hour


# On-demand prices of us-east-1; the tests train four times, at most six jobs each, and score one file.
EXPENSES = (
    Expense("processing jobs, ml.t3.large: 12 of 5 minutes", 12 * 5 / 60, 0.10),
    Expense("training jobs, ml.m5.large: 24 of 4 minutes", 24 * 4 / 60, 0.115),
    Expense("one transform job, ml.m5.large: 10 minutes", 10 / 60, 0.115),
    Expense("builds, general1.small: 10 of 20 minutes", 10 * 20 / 60, 0.30),
    Expense("serverless endpoints, storage, logs, requests", 1.0, 0.50),
)
MOST = 3  # times the estimate: quotas, retries and slow starts


def say_cost() -> None:
    print("What it costs, estimated by AWS's prices of us-east-1:")
    for expense in EXPENSES:
        print(f"  {expense.usd:5.2f} USD  {expense.what}")
    total = sum(expense.usd for expense in EXPENSES)
    print(
        f"  {total:5.2f} USD  in about three hours; at most {MOST * total:.0f} USD if much goes wrong",
        flush=True,
    )


def confirm(is_confirmed: bool, name: str) -> None:
    question = f"Deploy, try and destroy the factory {name} in this account?"
    if is_confirmed:
        return
    if not sys.stdin.isatty() or input(f"{question} Type yes: ") != "yes":
        raise OperationError(f"{question} Nothing was made: make test-aws YES=1 says yes.")


def require_quota() -> None:
    (quota,) = quotas.compare({TRANSFORM_QUOTA: 1})
    if not quota.is_enough:
        raise OperationError(
            f"The tests score a file, for which the quota is too small: {quota}. Ask for it: aws service-quotas "
            f"request-service-quota-increase --service-code sagemaker --quota-code {quota.code} --desired-value 1"
        )


def clone(directory: Path, name: str) -> None:
    """The last commit of this folder, as a factory of another name."""
    git = ("git", "-c", "user.name=test-aws", "-c", "user.email=test-aws@example.com")
    subprocess.run(["git", "clone", "--quiet", "--no-tags", str(PROJECT), str(directory)], check=True)
    settings = directory / "cdk.json"
    document = json.loads(settings.read_text())
    document["context"]["factory"]["name"] = name
    settings.write_text(json.dumps(document, indent=2) + "\n")
    subprocess.run(
        [*git, "commit", "--quiet", "--all", "--message", f"Name it {name}"], cwd=directory, check=True
    )


def in_clone(directory: Path, *command: str) -> int:
    """The exit status; what the command prints is seen at once."""
    environment = {**os.environ, "E2E_ACCOUNT": "shell"}
    process = subprocess.Popen(command, cwd=directory, env=environment)
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--yes", action="store_true", help="asks nothing")
    parser.add_argument("--name", default=f"factory-test-{secrets.token_hex(2)}", help="default: a new one")
    parser.add_argument("--select", default="", help="of pytest's -k: some of the tests only")
    arguments = parser.parse_args()
    say_account()
    say_cost()
    confirm(arguments.yes, arguments.name)
    require_quota()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "factory"
        clone(directory, arguments.name)
        tests = [sys.executable, "-m", "pytest", "-x", "-v", TESTS, "-m", NOT_HERE, "-k", arguments.select]
        try:
            failed = in_clone(directory, *tests)
        finally:
            destroyed = in_clone(directory, "cdk", "destroy", "--force", "--no-notices")
            print("What is left:", flush=True)
            left = in_clone(directory, sys.executable, "-m", "operations.audit")
    if failed or destroyed or left:
        raise OperationError(
            f"{arguments.name}: tests {_word(failed)}, cdk destroy {_word(destroyed)}, audit "
            f"{'found what is listed above: delete it' if left else 'found nothing'}."
        )
    print(f"{arguments.name}: all passed and nothing is left. Was it on AWS, note it in {VERIFIED}.")
    return 0


def _word(exit_status: int) -> str:
    return "failed" if exit_status else "passed"


if __name__ == "__main__":
    run(main)
