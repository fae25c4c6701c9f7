"""The synthesised factory, once per combination of settings: a synth costs seconds."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from ml_code.spec import load_spec
from stacks.config import FactoryConfig
from stacks.model_factory_stack import ModelFactoryStack
from tests.stacks.synthesis import PROJECT, REGION, Synthesise, Synthesised, render


@pytest.fixture(scope="session")
def synthesise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synthesise]:
    @cache
    def synthesised(**settings: Any) -> Synthesised:
        context = {"@aws-cdk/core:validateAgainstDefaultRules": True}  # as cdk.json has it
        app = App(analytics_reporting=False, context=context, outdir=str(tmp_path_factory.mktemp("cdk.out")))
        stack = ModelFactoryStack(
            app,
            config=FactoryConfig(**settings),
            spec=load_spec(),
            project_root=PROJECT,
            account=None,
            region=REGION,
        )
        directory = Path(app.synth().directory)
        template = json.loads((directory / f"{stack.stack_name}.template.json").read_text())
        return Synthesised(
            resources=render(template["Resources"], template["Resources"]),
            outputs=render(template["Outputs"], template["Resources"]),
            directory=directory,
            is_protected=bool(stack.termination_protection),
        )

    with pytest.MonkeyPatch.context() as patch:
        for name in (
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_DEFAULT_REGION",
            "AWS_REGION",
            "AWS_PROFILE",
        ):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield synthesised


@pytest.fixture(scope="session")
def factory(synthesise: Synthesise) -> Synthesised:
    """The factory as cdk.json has it."""
    return synthesise()
