"""One configuration, synthesised and examined. It runs in a process of a pool: what it returns is data."""

import gc
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import Validations
from cdk_nag import AwsSolutionsChecks

from ml_code.pipeline.definition import pipeline_definition
from ml_code.pipeline.settings import PipelineSettings
from tests.stacks.synthesis import (
    Synthesised,
    cdk_app,
    environment,
    read_assembly,
    spec_for,
    without_account,
)


@dataclass(frozen=True)
class Proof:
    factory: Synthesised
    findings: list[str]
    """Of cdk-nag and of CDK's own validation, without the acknowledged ones."""
    acknowledged: set[tuple[str, str]]
    """Construct and finding of every acknowledgement in the app."""
    covering: set[tuple[str, str]]
    """The same, of those that a finding needs."""
    pushed_definition: str
    """What a build writes, which gets its settings from the template."""


def prove(settings: Mapping[str, Any], outdir: str) -> Proof:
    without_account(os.environ)
    # The collector is off, as it takes a third of the time: what the last proof left behind goes here.
    gc.collect()
    gc.freeze()
    app, stack = cdk_app(settings, outdir)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    report_file = Path(outdir) / "validation-report.json"
    try:
        app.synth()
    except RuntimeError:
        if not report_file.is_file():
            raise
    reports = json.loads(report_file.read_text())["pluginReports"]
    findings = [
        f"{violation['ruleName']} {violation['description']} {construct.get('constructPath')}"
        for report in reports
        for violation in report["violations"]
        for construct in violation["violatingConstructs"]
    ]
    covering = {
        (violation["acknowledgedAt"], violation["acknowledgedId"])
        for report in reports
        for violation in report.get("suppressedViolations", ())
    }
    metadata = json.loads((Path(outdir) / f"{stack.stack_name}.metadata.json").read_text())
    acknowledged = {
        (construct.removeprefix("/"), finding)
        for construct, entries in metadata.items()
        for entry in entries
        if entry["type"] == "aws:cdk:acknowledged-rules"
        for finding in entry["data"]
    }
    factory = read_assembly(outdir, stack)
    pipeline_settings = json.loads(environment(factory, f"{factory.prefix}-build")["PIPELINE_SETTINGS"])
    return Proof(
        factory=factory,
        findings=findings,
        acknowledged=acknowledged,
        covering=covering,
        pushed_definition=pipeline_definition(spec_for(settings), PipelineSettings(**pipeline_settings)),
    )
