"""The model of this folder, tuned with a few trials and evaluated on this machine: no AWS, no git, no deployment.

The code is that of the jobs: the same checks of the data, the same parts, the same estimator, metrics and gate.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from ml_code.estimators.model import TableModel
from ml_code.jobs.estimator import check_search
from ml_code.jobs.evaluate import Evaluation, draw_evaluation, evaluate, picture_name
from ml_code.jobs.gate import evaluate_gate, gate_message
from ml_code.jobs.parts import split
from ml_code.jobs.preprocess import read_raw
from ml_code.jobs.train import choose_threshold, train
from ml_code.metrics import measure
from ml_code.raw_files import RawFileError
from ml_code.search_space import Choice, IntegerRange, SearchRange
from ml_code.spec import MODEL_YAML, ModelSpec, SpecError, find_model, load_spec
from ml_code.table.columns import SchemaError
from operations.errors import OperationError, run
from operations.factory import PROJECT, add_model_argument

OUTPUT = PROJECT / "train-output"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One set of searched hyperparameters, and what the model that they gave measures on the validation part."""

    searched: dict[str, Any]
    model: TableModel
    metrics: dict[str, float]
    seconds: float


def main() -> int:
    """Train and report; return exit status 1 when the gate would refuse the model."""
    parser = argparse.ArgumentParser(prog="python -m operations.train", description=__doc__)
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--data", type=Path, help="folder of CSV files; default: data/ of the model's folder")
    add_model_argument(parser)
    arguments = parser.parse_args()
    if arguments.trials < 1:
        raise OperationError(f"trials is {arguments.trials}; allowed: 1 or more")
    try:
        folder = find_model(name=arguments.model)
        return report(
            Console(), load_spec(folder / MODEL_YAML), arguments.data or folder / "data", arguments.trials
        )
    except (SpecError, SchemaError, RawFileError) as error:
        raise OperationError(str(error)) from error


def report(console: Console, spec: ModelSpec, folder: Path, trial_count: int) -> int:
    check_search(spec)
    frame = read_raw(folder, spec)
    parts = split(frame, spec)
    rows = ", ".join(f"{len(part)} {name}" for name, part in parts.items())
    console.print(f"Model {spec.name}: {len(frame)} rows of {folder} ({rows})", soft_wrap=True)
    trials = [run_trial(spec, searched, parts) for searched in samples(spec, trial_count)]
    best = choose(spec, trials)
    print_trials(console, spec, trials, best)
    evaluation = evaluate(spec, best.model, [parts["test"]])
    print_evaluation(console, evaluation)
    picture = OUTPUT / picture_name(spec)
    picture.parent.mkdir(exist_ok=True)
    draw_evaluation(spec, evaluation).savefig(picture, dpi=100)
    console.print(f"Picture: {picture.relative_to(PROJECT)}")
    gate = evaluate_gate(spec.gate, evaluation.metrics, baseline=None)
    console.print(gate_message(gate, len(parts["test"])))
    passes = spec.gate.passes(evaluation.metrics)
    word = "passed" if passes else "failed"
    console.print(
        f"Gate ({spec.gate.text}): {word}. Only a delivery compares with production.", soft_wrap=True
    )
    return 0 if passes else 1


def samples(spec: ModelSpec, count: int) -> list[dict[str, Any]]:
    """Random points of the search space, the same at each call: the seed is the model's."""
    random = np.random.default_rng(spec.seed)
    return [{name: sample(found, random) for name, found in spec.search.items()} for _ in range(count)]


def sample(found: SearchRange, random: np.random.Generator) -> Any:
    if isinstance(found, Choice):
        return found.values[random.integers(len(found.values))]
    low, high = found.minimum, found.maximum
    if found.scale == "logarithmic":
        value = float(np.exp(random.uniform(np.log(low), np.log(high))))
    else:
        value = float(random.uniform(low, high))
    return round(value) if isinstance(found, IntegerRange) else value


def run_trial(spec: ModelSpec, searched: dict[str, Any], parts: dict[str, pd.DataFrame]) -> Trial:
    begin = time.monotonic()
    model = train(spec, searched, parts["train"])
    validation, target = parts["validation"], spec.target.name
    choose_threshold(spec, model, validation)
    metrics = measure(spec, model, validation.drop(columns=target), validation[target])
    return Trial(searched=searched, model=model, metrics=metrics, seconds=time.monotonic() - begin)


def choose(spec: ModelSpec, trials: Sequence[Trial]) -> Trial:
    sign = 1 if spec.objective.direction == "maximize" else -1
    return max(trials, key=lambda trial: sign * trial.metrics[spec.objective.metric])


def print_trials(console: Console, spec: ModelSpec, trials: Sequence[Trial], best: Trial) -> None:
    table = Table()
    for name in (*spec.search, spec.objective.metric_name, "seconds", ""):
        table.add_column(name, overflow="fold")
    for trial in trials:
        values = [
            f"{value:.4g}" if isinstance(value, float) else str(value) for value in trial.searched.values()
        ]
        measured = f"{trial.metrics[spec.objective.metric]:.4f}"
        table.add_row(*values, measured, f"{trial.seconds:.1f}", "best" if trial is best else "")
    console.print(table)


def print_evaluation(console: Console, evaluation: Evaluation) -> None:
    if not evaluation.classes:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in evaluation.metrics.items())
        console.print(f"The best on the test part: {shown}", soft_wrap=True)
        return
    table = Table(
        "class", "rows", "precision", "recall", "f1", title="The best on the test part", title_justify="left"
    )
    for label, of_class in evaluation.classes.items():
        measured = (f"{of_class[name]:.3f}" for name in ("precision", "recall", "f1"))
        table.add_row(label, f"{of_class['rows']:.0f}", *measured)
    console.print(table)


if __name__ == "__main__":
    run(main)
