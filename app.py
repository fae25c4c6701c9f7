"""The CDK app: read the settings, build the stack, synthesise."""

import gc

# The imports make a million objects that stay: looking for garbage among them costs a fifth of a synth.
gc.disable()

import os
import sys
from pathlib import Path

from aws_cdk import App

from ml_code.spec import load_spec
from stacks.config import FactoryConfig
from stacks.model_factory_stack import ModelFactoryStack

# The CLI sets it from the credentials, the profile or AWS_REGION; a synth without any of them gets this one.
FALLBACK_REGION = "us-east-1"


def main() -> None:
    app = App(analytics_reporting=False)
    try:
        ModelFactoryStack(
            app,
            config=FactoryConfig.from_context(app.node.get_all_context()),
            spec=load_spec(),
            project_root=Path(__file__).parent,
            account=os.environ.get("CDK_DEFAULT_ACCOUNT"),
            region=os.environ.get("CDK_DEFAULT_REGION", FALLBACK_REGION),
        )
    except ValueError as error:  # a setting, a field of model.yaml, the region: each says what is allowed
        sys.exit(str(error))
    app.synth()


if __name__ == "__main__":
    main()
