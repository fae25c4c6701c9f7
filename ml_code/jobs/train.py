"""One training job: fit on the train part, measure on the validation part, log to MLflow."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import mlflow.pyfunc
import pandas as pd
from mlflow.entities import LoggedModelOutput
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, TensorSpec
from mlflow.types import Schema as MlflowSchema
from mlflow.types.schema import AnyType

from ml_code.contracts import Variable
from ml_code.estimators import saving
from ml_code.estimators.libraries import LIBRARY_FOLDER, library_of
from ml_code.estimators.model import Checked, TableModel
from ml_code.estimators.saving import write_model
from ml_code.jobs import checkpoint
from ml_code.jobs.estimator import build_model, parse_searched
from ml_code.jobs.hosts import Host, HostError, read_hosts
from ml_code.jobs.parts import part_files, read_part
from ml_code.jobs.rounds import checked_rows
from ml_code.metrics import best_threshold, measure
from ml_code.spec import ModelSpec, load_spec
from ml_code.tracking import runs

SERVING_PACKAGES = ("numpy", "pandas", "scikit-learn")
SAMPLE_ROWS = 10_000
# In the working directory of a job.
JOB_WHEELS = "wheels"


def train(
    spec: ModelSpec, searched: Mapping[str, Any], part: pd.DataFrame, checked: Checked | None = None
) -> TableModel:
    """Preparation and estimator, fitted on the train part only; it may report on the rows that are `checked`."""
    target = spec.target.name
    return build_model(spec, searched).fit(part.drop(columns=target), part[target], checked)


def choose_threshold(spec: ModelSpec, model: TableModel, validation: pd.DataFrame) -> None:
    """The decision threshold of two classes: as model.yaml gives it, or the best on the validation part."""
    target = spec.target.name
    if isinstance(spec.decision_threshold, float):
        model.threshold = spec.decision_threshold
    elif spec.threshold_metric is not None:
        probabilities = model.predict_proba(validation.drop(columns=target))
        model.threshold = best_threshold(
            spec.threshold_metric, validation[target], probabilities, spec.classes
        )


def training_sample(spec: ModelSpec, part: pd.DataFrame) -> pd.DataFrame:
    """The features of a bounded number of rows."""
    features = part.drop(columns=spec.target.name)
    return features.sample(n=min(SAMPLE_ROWS, len(features)), random_state=spec.seed)


def log_run(
    spec: ModelSpec,
    model: TableModel,
    *,
    execution: runs.Execution,
    name: str,
    searched: Mapping[str, Any],
    metrics: Mapping[str, float],
    example: pd.DataFrame,
    sample: pd.DataFrame,
) -> dict[str, str]:
    """A child run with parameters, metrics and the model; its ids.

    Request by request: the fluent mlflow.pyfunc.log_model makes four times as many.
    """
    client = mlflow.MlflowClient()
    experiment = runs.experiment_id(client, spec.name)
    parent = runs.parent_run_id(client, experiment, execution)
    run_id = runs.child_run_id(client, experiment, parent, name)
    params = {"estimator": spec.estimator, **spec.hyperparameters, **searched, "seed": spec.seed}
    if model.threshold is not None:
        params["decision_threshold"] = model.threshold
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
            signature=pyfunc_signature(spec),
            libraries=serving_packages(spec),
            example=example,
            mlflow_model=Model(run_id=run_id, model_id=logged.model_id),
        )
        # What an endpoint checks its requests against.
        (folder / "schema.json").write_text(json.dumps(spec.request_schema().to_dict()))
        copy_library(spec, folder)
        client.log_model_artifacts(logged.model_id, str(folder))
        file = Path(directory) / runs.TRAINING_SAMPLE
        sample.to_parquet(file, index=False)
        client.log_artifact(run_id, str(file))
    client.finalize_logged_model(logged.model_id, "READY")
    client.set_terminated(run_id)
    return {"run_id": run_id, "model_id": logged.model_id, "model_uri": f"models:/{logged.model_id}"}


def copy_library(spec: ModelSpec, folder: Path) -> None:
    """The wheel that this job runs with, if the image lacks the library: an endpoint of the model gets the very same."""
    library = library_of(spec.estimator)
    if library.in_image:
        return
    for wheel in Path(JOB_WHEELS).glob(f"{library.distribution.replace('-', '_')}-*.whl"):
        (folder / LIBRARY_FOLDER).mkdir()
        shutil.copy(wheel, folder / LIBRARY_FOLDER)


def pyfunc_signature(spec: ModelSpec) -> ModelSignature:
    """The signature that `mlflow.pyfunc` holds its input to.

    MLflow refuses int64 where a signature says double, so that the very data that a model was trained on would be
    refused once a column of them has whole numbers only. So a number may be of any type there; and so may a column with
    gaps, as pandas has whole numbers with gaps as floats, and one of text, which may be pandas' category.
    """
    any_type = AnyType()  # type: ignore[no-untyped-call]
    kinds = {"integer": DataType.long, "boolean": DataType.boolean}
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(kinds.get(column.type, any_type) if column.required else any_type, name=column.name)
        for column in spec.request_schema().columns
    ]
    return ModelSignature(inputs=MlflowSchema(columns), outputs=MlflowSchema([_answer(spec)]))


def _answer(spec: ModelSpec) -> ColSpec | TensorSpec:
    kinds = {bool: DataType.boolean, int: DataType.long, str: DataType.string}
    return ColSpec(kinds[type(spec.classes[0])] if spec.classes else DataType.double)


def serving_packages(spec: ModelSpec) -> list[str]:
    """Distributions that a model of this estimator is loaded with."""
    return sorted({*SERVING_PACKAGES, library_of(spec.estimator).distribution})


def save_model(
    model: TableModel,
    folder: Path,
    *,
    signature: ModelSignature,
    example: pd.DataFrame,
    mlflow_model: Model,
    libraries: Sequence[str] = SERVING_PACKAGES,
) -> None:
    """The files of a model, and MLflow's, with which it loads them by `saving`."""
    mlflow.pyfunc.save_model(
        str(folder),
        mlflow_model=mlflow_model,
        loader_module=saving.__name__,
        signature=signature,
        input_example=example,
        # Given, because MLflow would run the model in a process of its own to find them out.
        pip_requirements=[f"{package}=={version(package)}" for package in libraries],
    )
    write_model(model, folder)


@dataclass(frozen=True, kw_only=True)
class Job:
    """The arguments of a training job."""

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
    """Read the job from the variables of SageMaker's training toolkit.

    Its command line is not read: it puts one dash before a hyperparameter of one letter, and a hyperparameter may have
    the name of another argument.
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


def fit(
    spec: ModelSpec,
    searched: Mapping[str, Any],
    part: pd.DataFrame | None,
    validation: pd.DataFrame | None,
    me: Host,
) -> TableModel | None:
    """The fitted model; None on a host that leaves it to another to save it."""
    if me.is_alone and part is not None and validation is not None:
        return train(spec, searched, part, checked_rows(spec, validation))
    from ml_code.jobs import collective  # needs XGBoost

    return collective.train(me, build_model(spec, searched), part, spec.target.name)


def main() -> None:
    spec, job, me = load_spec(), read_job(os.environ), read_hosts()
    searched = parse_searched(spec, job.hyperparameters)
    # Of several hosts, one may have no rows.
    part = validation = None
    if me.is_alone or part_files(job.train_dir, "train"):
        part, validation = read_part(job.train_dir, "train"), read_part(job.validation_dir, "validation")

    model = checkpoint.restore(job.checkpoint_dir, job.name)
    if model is not None and (part is None or not me.leads):
        print("the model of an interrupted job is there: another host goes on with it")
        return
    is_restored = model is not None
    if model is None:
        model = fit(spec, searched, part, validation, me)
    if model is None or part is None or validation is None:
        return
    features, truth = validation.drop(columns=spec.target.name), validation[spec.target.name]
    if not is_restored:
        choose_threshold(spec, model, validation)
        checkpoint.save(job.checkpoint_dir, job.name, model)
    metrics = measure(spec, model, features, truth)
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
    write_model(model, job.model_dir)
    facts = {**ids, "hyperparameters": searched, "validation_metrics": metrics}
    (job.model_dir / "run.json").write_text(json.dumps(facts, indent=2))


if __name__ == "__main__":
    try:
        main()
    except HostError as error:
        sys.exit(f"train: {error}")
