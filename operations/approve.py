"""Approves the delivery that waits for it: `make approve`."""

import getpass

import boto3

from ml_code.contracts import Stage
from operations import delivery
from operations.errors import OperationError, run
from operations.factory import deployed_factory


def main() -> None:
    name = deployed_factory().name
    stages = boto3.client("codepipeline").get_pipeline_state(name=name)["stageStates"]
    waiting = {stage["stageName"]: stage.get("latestExecution", {}) for stage in stages}
    execution = waiting.get(Stage.APPROVAL, {}).get("pipelineExecutionId")
    if execution is None or not delivery.approve(name, execution, summary=f"Approved by {getpass.getuser()}"):
        raise OperationError(f"No delivery of {name} waits for approval; `make status` shows where it is.")
    print(f"Approved execution {execution} of {name}; it goes on to production.")


if __name__ == "__main__":
    run(main)
