"""The reason of a build and the data it trains on, by CodePipeline's record of the delivery.

CodePipeline pastes an execution's variables into the JSON of a build's environment: a quote in a variable would add
variables to the build. So the build gets the execution's id, which nobody can choose, and asks for the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ml_code.contracts import DeliveryVariable, Variable

if TYPE_CHECKING:
    from types_boto3_codepipeline import CodePipelineClient


# The reason of the first execution of a pipeline, which its making starts.
DEPLOYMENT = "deployment"


@dataclass(frozen=True, kw_only=True)
class Trigger:
    reason: str = "manual"
    data_prefix: str = ""  # the default: all data of the model


def read_trigger(environment: Mapping[str, str], codepipeline: "CodePipelineClient") -> Trigger:
    """The default outside of a delivery."""
    execution = environment.get(Variable.DELIVERY_EXECUTION)
    if not execution:
        return Trigger()
    pipeline = environment["CODEBUILD_INITIATOR"].partition("/")[2]
    found = codepipeline.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution)[
        "pipelineExecution"
    ]
    if found["trigger"]["triggerType"] == "CreatePipeline":  # a deployment, which leaves the defaults
        return Trigger(reason=DEPLOYMENT)
    variables = {variable["name"]: variable["resolvedValue"] for variable in found["variables"]}
    return Trigger(
        reason=variables[DeliveryVariable.TRIGGER_REASON],
        data_prefix=variables.get(DeliveryVariable.DATA_PREFIX, ""),
    )
