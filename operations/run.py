"""Starts a delivery by hand: `make run REASON="new labels" DATA=raw/2026/ COMMIT=<id>`, each of them optional."""

import argparse
import getpass
import re
from typing import TYPE_CHECKING

import boto3

from ml_code.contracts import REASON_CHARACTERS, DeliveryVariable, Prefix, Stage, of_model
from operations.errors import OperationError, run
from operations.factory import Model, add_model_argument, deployed_factory

if TYPE_CHECKING:
    from types_boto3_codepipeline.type_defs import SourceRevisionOverrideTypeDef

# What JSON, a shell and a hyperparameter's value pass on unchanged: CodePipeline puts the text into JSON as it is.
_PLAIN = re.compile(rf"[\w .,:;/@()+=-]{{1,{REASON_CHARACTERS}}}")


def start(model: Model, *, reason: str, data_prefix: str, commit: str) -> str:
    """The id of the new execution; variables that are not given keep the pipeline's defaults."""
    variables = {DeliveryVariable.TRIGGER_REASON: reason, DeliveryVariable.DATA_PREFIX: data_prefix}
    for name, value in variables.items():
        if value and not _PLAIN.fullmatch(value):
            raise OperationError(
                f"{name} is {value!r}, allowed are up to {REASON_CHARACTERS} letters, digits, spaces and "
                ". , : ; / @ ( ) + = - _"
            )
    own = of_model(Prefix.RAW_DATA, model.name)
    if data_prefix and not data_prefix.startswith(own):
        raise OperationError(
            f"{DeliveryVariable.DATA_PREFIX} is {data_prefix!r}, allowed is a prefix below {own}"
        )
    revision: SourceRevisionOverrideTypeDef = {
        "actionName": Stage.SOURCE,
        "revisionType": "COMMIT_ID",
        "revisionValue": commit,
    }
    started = boto3.client("codepipeline").start_pipeline_execution(
        name=model.prefix,
        variables=[{"name": name, "value": value} for name, value in variables.items() if value],
        sourceRevisions=[revision] if commit else [],
    )
    return str(started["pipelineExecutionId"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reason", default="")
    parser.add_argument(
        "--data", default="", help=f"a prefix of the data bucket below {Prefix.RAW_DATA}<model>/"
    )
    parser.add_argument("--commit", default="", help="a commit of the repository")
    add_model_argument(parser)
    arguments = parser.parse_args()
    model = deployed_factory().model(arguments.model)
    reason = arguments.reason or f"manual by {getpass.getuser()}"
    execution = start(model, reason=reason, data_prefix=arguments.data, commit=arguments.commit)
    print(f"Started execution {execution} of {model.prefix}; `make status` shows where it is.")


if __name__ == "__main__":
    run(main)
