"""One training job: fit on the train part, measure on the validation part, log to MLflow."""

import json
import logging
import os
import pickle
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import mlflow.sklearn
import pandas as pd
from mlflow.entities import LoggedModelOutput
from mlflow.models import Model, ModelSignature, infer_signature
from mlflow.types import ColSpec, DataType, TensorSpec
from mlflow.types import Schema as MlflowSchema
from mlflow.types.schema import AnyType
from sklearn.pipeline import Pipeline

from ml_code.contracts import Variable
from ml_code.jobs import checkpoint
from ml_code.jobs.estimator import build_estimator, parse_searched
from ml_code.metrics import measure
from ml_code.schema import Schema
from ml_code.spec import ModelSpec, load_spec
from ml_code.tracking import runs

SERVING_PACKAGES = ("numpy", "pandas", "scikit-learn")
SAMPLE_ROWS = 10_000


def train(spec: ModelSpec, searched: Mapping[str, Any], part: pd.DataFrame) -> Pipeline:
    """Scaler and estimator, fitted on the train part only."""
    target = spec.target.name
    return build_estimator(spec, searched).fit(part.drop(columns=target), part[target])


def training_sample(spec: ModelSpec, part: pd.DataFrame) -> pd.DataFrame:
    """The features of a bounded number of rows."""
    features = part.drop(columns=spec.target.name)
    return features.sample(n=min(SAMPLE_ROWS, len(features)), random_state=spec.seed)


def log_run(
    spec: ModelSpec,
    model: Pipeline,
    *,
    execution: runs.Execution,
    name: str,
    searched: Mapping[str, Any],
    metrics: Mapping[str, float],
    example: pd.DataFrame,
    sample: pd.DataFrame,
) -> dict[str, str]:
    """A child run with parameters, metrics and the model; its ids.

    Request by request: the fluent mlflow.sklearn.log_model makes four times as many.
    """
    client = mlflow.MlflowClient()
    experiment = runs.experiment_id(client, spec.name)
    parent = runs.parent_run_id(client, experiment, execution)
    run_id = runs.child_run_id(client, experiment, parent, name)
    params = {"estimator": spec.estimator, **spec.hyperparameters, **searched, "seed": spec.seed}
    logged = client.create_logged_model(
        experiment,
        name="model",
        source_run_id=run_id,
        params={key: str(value) for key, value in params.items()},
    )
    runs.log(
        client,
        run_id,
        params=params,
        metrics={f"validation_{key}": value for key, value in metrics.items()},
        tags={"commit": execution.commit, "training_job": name},
        model_id=logged.model_id,
    )
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory) / "model"
        save_model(
            model,
            folder,
            signature=pyfunc_signature(spec.request_schema(), model, example),
            example=example,
            mlflow_model=Model(run_id=run_id, model_id=logged.model_id),
        )
        # What an endpoint checks its requests against.
        (folder / "schema.json").write_text(json.dumps(spec.request_schema().to_dict()))
        client.log_model_artifacts(logged.model_id, str(folder))
        file = Path(directory) / runs.TRAINING_SAMPLE
        sample.to_csv(file, index=False)
        client.log_artifact(run_id, str(file))
    client.finalize_logged_model(logged.model_id, "READY")
    client.set_terminated(run_id)
    return {"run_id": run_id, "model_id": logged.model_id, "model_uri": f"models:/{logged.model_id}"}


def pyfunc_signature(schema: Schema, model: Pipeline, example: pd.DataFrame) -> ModelSignature:
    """What `mlflow.pyfunc` holds its input to.

    MLflow refuses int64 where a signature says double, so that the very data that a model was trained on would be
    refused once a column of them has whole numbers only. So a number may be of any type there.
    """
    any_type = AnyType()  # type: ignore[no-untyped-call]
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.long if column.type == "integer" else any_type, name=column.name)
        for column in schema.columns
    ]
    answer = infer_signature(example, model.predict(example)).outputs
    return ModelSignature(inputs=MlflowSchema(columns), outputs=answer)


def save_model(
    model: Pipeline, folder: Path, *, signature: ModelSignature, example: pd.DataFrame, mlflow_model: Model
) -> None:
    """MLflow's files of a model, model.pkl among them."""
    # Its warning about pickle is for those who load models of strangers.
    logging.getLogger("mlflow.sklearn").setLevel(logging.ERROR)
    mlflow.sklearn.save_model(
        model,
        str(folder),
        mlflow_model=mlflow_model,
        serialization_format="pickle",
        signature=signature,
        input_example=example,
        # Given, because MLflow would run the model in a process of its own to find them out.
        pip_requirements=[f"{package}=={version(package)}" for package in SERVING_PACKAGES],
    )


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a training job is given."""

    hyperparameters: dict[str, Any]
    name: str
    train_dir: Path
    validation_dir: Path
    model_dir: Path
    checkpoint_dir: Path | None

    @property
    def execution(self) -> runs.Execution:
        texts = {name: self.hyperparameters[name.replace("-", "_")] for name in runs.EXECUTION_ARGUMENTS}
        # Text that is JSON by chance, such as the reason 2026, comes as what it means there.
        arn, commit, reason = (text if isinstance(text, str) else json.dumps(text) for text in texts.values())
        return runs.Execution(arn=arn, commit=commit, trigger_reason=reason)


def read_job(environment: Mapping[str, str]) -> Job:
    """From the variables of SageMaker's training toolkit.

    Its command line is no way to names that the model chooses: it has one dash before those of one letter, and may have
    those of other arguments.
    """
    directory = environment.get(Variable.CHECKPOINT_DIR)
    return Job(
        hyperparameters=json.loads(environment["SM_HPS"]),
        name=environment.get("TRAINING_JOB_NAME", "training"),
        train_dir=Path(environment["SM_CHANNEL_TRAIN"]),
        validation_dir=Path(environment["SM_CHANNEL_VALIDATION"]),
        model_dir=Path(environment["SM_MODEL_DIR"]),
        checkpoint_dir=Path(directory) if directory else None,
    )


def is_first_host(environment: Mapping[str, str]) -> bool:
    """With an instance count above one each instance runs this script."""
    hosts = json.loads(environment.get("SM_HOSTS", "[]"))
    return not hosts or environment.get("SM_CURRENT_HOST") == min(hosts)


def main() -> None:
    if not is_first_host(os.environ):
        print("another instance trains the model: this sample does not share the work")
        return
    spec, job = load_spec(), read_job(os.environ)
    searched = parse_searched(spec, job.hyperparameters)
    part = pd.read_csv(job.train_dir / "train.csv")
    validation = pd.read_csv(job.validation_dir / "validation.csv")
    features, truth = validation.drop(columns=spec.target.name), validation[spec.target.name]

    model = checkpoint.restore(job.checkpoint_dir, job.name)
    if model is None:
        model = train(spec, searched, part)
        checkpoint.save(job.checkpoint_dir, job.name, model)
    metrics = measure(model, features, truth)
    print(spec.objective.log_line(metrics[spec.objective.metric]), flush=True)

    ids = log_run(
        spec,
        model,
        execution=job.execution,
        name=job.name,
        searched=searched,
        metrics=metrics,
        example=features.head(1),
        sample=training_sample(spec, part),
    )
    job.model_dir.mkdir(parents=True, exist_ok=True)
    (job.model_dir / "model.pkl").write_bytes(pickle.dumps(model))
    facts = {**ids, "hyperparameters": searched, "validation_metrics": metrics}
    (job.model_dir / "run.json").write_text(json.dumps(facts, indent=2))


if __name__ == "__main__":
    main()
