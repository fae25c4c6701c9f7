"""Shows what waits for approval, and approves it: `make approve`."""

import argparse
import getpass
from collections.abc import Iterator

import boto3

from ml_code.contracts import Stage
from ml_code.release.delivery_record import action_executions
from operations import delivery
from operations.errors import OperationError, run
from operations.factory import add_model_argument, deployed_factory


def what_waits(pipeline: str, execution: str) -> Iterator[str]:
    """The summary that the deployed code made in staging, and the address of its page."""
    for action in action_executions(boto3.client("codepipeline"), pipeline, execution):
        if action["stageName"] == Stage.APPROVAL:
            configuration = action["input"].get("resolvedConfiguration", {})
            yield from (
                configuration[key] for key in ("CustomData", "ExternalEntityLink") if key in configuration
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_model_argument(parser)
    name = deployed_factory().model(parser.parse_args().model).prefix
    stages = boto3.client("codepipeline").get_pipeline_state(name=name)["stageStates"]
    waiting = [stage.get("latestExecution", {}) for stage in stages if stage["stageName"] == Stage.APPROVAL]
    execution = waiting[0].get("pipelineExecutionId") if waiting else None
    for line in what_waits(name, execution) if execution else ():
        print(line, flush=True)
    if execution is None or not delivery.approve(name, execution, summary=f"Approved by {getpass.getuser()}"):
        raise OperationError(f"No delivery of {name} waits for approval; `make status` shows where it is.")
    print(f"Approved execution {execution} of {name}; it goes on to production.")


if __name__ == "__main__":
    run(main)
