"""The model version of an entry point's arguments."""

import argparse
import os

from ml_code.contracts import Variable


def parse_model_uri(description: str) -> str:
    """Parse `--model models:/NAME/VERSION`, or `--version 3` of the model in MODEL_NAME, or of the only model."""
    parser = argparse.ArgumentParser(description=description)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--model", help="models:/NAME/VERSION or models:/NAME@ALIAS")
    choice.add_argument("--version", type=int, help="a version of the only model, or that of MODEL_NAME")
    arguments = parser.parse_args()
    if arguments.model:
        return str(arguments.model)
    from ml_code.spec import load_spec

    return f"models:/{load_spec(name=os.environ.get(Variable.MODEL_NAME, '')).name}/{arguments.version}"
