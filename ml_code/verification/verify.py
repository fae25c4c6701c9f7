"""Proves what an endpoint serves: `python -m ml_code.verification.verify --model models:/NAME/3`.

Invokes it on held-out rows, compares the answers with the truth, and writes verification.json, .png and .html,
which the model version's MLflow run keeps too.
"""

import importlib
import json
import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from ml_code.contracts import Variable
from ml_code.spec import ModelSpec, SpecError, load_spec
from ml_code.spec.metric_names import CLASSIFICATION
from ml_code.tracking import model_registry
from ml_code.tracking.model_registry import RegisteredVersion, RegistryError
from ml_code.tracking.model_uri import parse_model_uri
from ml_code.verification.invoke import Answers, VerificationError, ask, check_refusals, percentiles_ms
from ml_code.verification.report_link import report_url
from ml_code.verification.settings import VerifySettings, read_settings
from ml_code.verification.test_rows import LabelledRows, load_test_rows

if TYPE_CHECKING:
    from mlflow import MlflowClient

REPORT = Path("verification.json")
FIGURE = Path("verification.png")
PAGE = Path("verification.html")


def report(
    *,
    version: RegisteredVersion,
    settings: VerifySettings,
    spec: ModelSpec,
    test_rows: LabelledRows,
    answers: Answers,
) -> dict[str, Any]:
    """The content of verification.json."""
    from ml_code.metrics import measure_answers  # scikit-learn takes a second to import

    gate, pairs = spec.gate, zip(test_rows.truth, answers.predictions, strict=True)
    metrics = measure_answers(spec, test_rows.truth, answers.predictions, answers.probabilities)
    measured = metrics[gate.metric]
    # A number is never met exactly: of a regression no row is a mistake.
    mistakes = [
        {"row": number, "true": true, "predicted": predicted}
        for number, (true, predicted) in enumerate(pairs, start=1)
        if spec.is_classification and true != predicted
    ]
    return {
        "passed": gate.passes({gate.metric: measured}),
        "metric": gate.metric,
        "value": round(measured, 6),
        "metrics": {name: round(value, 6) for name, value in metrics.items()},
        "threshold": gate.threshold,
        "task": spec.resolved_task,
        "n": len(answers.predictions),
        "mistakes": mistakes,
        "latency": percentiles_ms(answers.latencies_ms),
        "model": version.name,
        "model_version": version.version,
        "run_id": version.run_id,
        "commit": version.commit,
        "data_sha256": version.data_sha256,
        "execution_arn": version.execution_arn,
        "code_uri": version.code_uri,
        "endpoint": settings.endpoint_name,
        "stage": settings.stage,
        "verified_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def import_ahead() -> None:
    """Import scikit-learn and matplotlib in the background: the report takes them after the endpoint has answered."""
    modules = ("sklearn.metrics", "ml_code.verification.report_figure")
    threading.Thread(target=lambda: [importlib.import_module(name) for name in modules]).start()


def verify(model_uri: str, settings: VerifySettings, spec: ModelSpec) -> dict[str, Any]:
    client = model_registry.connect(settings.mlflow_tracking_uri)
    version = model_registry.resolve(client, model_uri)
    test_rows = load_test_rows(client, version, spec)
    return verify_version(client, version, test_rows, settings, spec)


def verify_version(
    client: "MlflowClient",
    version: RegisteredVersion,
    test_rows: LabelledRows,
    settings: VerifySettings,
    spec: ModelSpec,
) -> dict[str, Any]:
    """Verify the version: the content of verification.json; a result below the gate is an answer, too."""
    from ml_code.tracking.runs import restore_run  # imports MLflow

    restore_run(client, version.run_id)  # it takes the report
    runtime = boto3.client("sagemaker-runtime")
    lineage = {"model_version": version.version, "run_id": version.run_id, "commit": version.commit}
    answers = ask(runtime, settings.endpoint_name, test_rows, lineage)
    check_refusals(runtime, settings.endpoint_name)
    result = report(version=version, settings=settings, spec=spec, test_rows=test_rows, answers=answers)
    REPORT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")

    from ml_code.verification.report_figure import draw  # matplotlib takes a second to import
    from ml_code.verification.report_html import write_page

    draw(FIGURE, spec=spec, result=result, test_rows=test_rows, answers=answers)
    write_page(PAGE, spec=spec, result=result, test_rows=test_rows, answers=answers, picture=FIGURE)
    folder = f"verification/{settings.stage}"
    for path in (REPORT, FIGURE, PAGE):
        client.log_artifact(version.run_id, str(path), folder)
    url = report_url(client, version.run_id, f"{folder}/{PAGE}", settings.mlflow_tracking_uri)
    print(f"{REPORT}, {FIGURE} and {PAGE} are in MLflow run {version.run_id} under {folder}: {url}")
    return result


def summary(result: dict[str, Any]) -> str:
    latency = result["latency"]
    mistakes = f" ({len(result['mistakes'])} mistakes)" if result["task"] == CLASSIFICATION else ""
    return (
        f"endpoint {result['endpoint']} serves {result['model']} version {result['model_version']}: "
        f"{result['metric']} {result['value']:.4f} on {result['n']} held-out rows"
        f"{mistakes}, gate {result['threshold']:g}; one row takes "
        f"{latency['p50_ms']:.1f} ms (p50), {latency['p99_ms']:.1f} ms (p99)"
    )


def main() -> None:
    model_uri = parse_model_uri("Verify the endpoint against held-out rows.")
    try:
        settings = read_settings(VerifySettings, os.environ)
        spec = load_spec(name=os.environ.get(Variable.MODEL_NAME, ""))
        result = verify(model_uri, settings, spec)
    except (ValueError, RegistryError, SpecError, VerificationError, ClientError) as error:
        sys.exit(f"verify: {error}")
    if not result["passed"]:
        sys.exit(f"verify: below the gate: {summary(result)}")
    print(summary(result))


if __name__ == "__main__":
    main()
