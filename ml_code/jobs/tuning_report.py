"""Whether the tuning paid: its trials, and the winner beside the estimator's defaults on the same test rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mlflow import MlflowClient

from ml_code.figures import WRONG
from ml_code.jobs.answers import answers_of
from ml_code.jobs.bootstrap import improvement_interval
from ml_code.jobs.train import choose_threshold, train
from ml_code.metrics import measure_answers, measure_gate
from ml_code.search_space import Choice
from ml_code.spec import ModelSpec, SpecError

PICTURE = "tuning.png"
_SLICES_A_ROW = 5
_COLORS = colormaps["viridis"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A training job: its searched values, as texts, and the objective on the validation part."""

    run_id: str
    values: dict[str, str]
    score: float


def read_trials(client: MlflowClient, spec: ModelSpec, experiment: str, parent: str) -> list[Trial]:
    """The trials that measured the objective, of the execution's run, in their order."""
    metric = f"validation_{spec.objective.metric}"
    found = client.search_runs(
        [experiment],
        filter_string=f"tags.mlflow.parentRunId = '{parent}'",
        order_by=["attributes.start_time ASC"],
        max_results=1000,
    )
    return [
        Trial(
            run_id=run.info.run_id,
            values={name: run.data.params[name] for name in spec.search},
            score=run.data.metrics[metric],
        )
        for run in found
        if metric in run.data.metrics and spec.search.keys() <= run.data.params.keys()
    ]


def compare_with_defaults(
    spec: ModelSpec,
    winner: Any,
    *,
    train_part: pd.DataFrame,
    validation_part: pd.DataFrame,
    test_part: Iterable[pd.DataFrame],
) -> dict[str, Any]:
    """The gate's metric of the winner and of the estimator without the searched values, with the improvement's interval.

    `winner` has the truth of the test part, which comes in blocks, its predictions and probabilities.
    """
    metric = spec.gate.metric
    result: dict[str, Any] = {"metric": metric, "tuned": winner.metrics[metric]}
    try:
        model = train(spec, {}, train_part)
    except (SpecError, ValueError) as error:
        # An estimator may need a value that is only searched.
        return {**result, "defaults": None, "why": f"there are no defaults to train with: {error}"}
    choose_threshold(spec, model, validation_part)
    answers = answers_of(spec, model, test_part)
    value = measure_answers(spec, winner.truth, answers.predicted, answers.probabilities)[metric]
    interval = improvement_interval(
        spec.gate,
        measure_gate(spec, winner.truth, winner.predicted, winner.probabilities),
        measure_gate(spec, winner.truth, answers.predicted, answers.probabilities),
        rows=len(winner.truth),
        seed=spec.seed,
    )
    improvement = spec.gate.improvement(winner.metrics[metric], value)
    low, high = interval or (improvement, improvement)
    return {**result, "defaults": value, "improvement": improvement, "low": low, "high": high}


def describe(comparison: dict[str, Any], rows: int) -> str:
    metric, tuned = comparison["metric"], comparison["tuned"]
    if comparison["defaults"] is None:
        return f"{metric} {tuned:.4f} on {rows:,} test rows; {comparison['why']}"
    return (
        f"{metric} {tuned:.4f} on {rows:,} test rows, {comparison['defaults']:.4f} with the defaults: improvement "
        f"{comparison['improvement']:.4f} ({comparison['low']:.4f} to {comparison['high']:.4f} in nine of ten resamples)"
    )


def draw_tuning(spec: ModelSpec, trials: Sequence[Trial], best_run: str, title: str) -> Figure:
    """Parallel coordinates of all trials above, a slice for each hyperparameter below; the winner is red."""
    names = list(spec.search)
    rows = -(-len(names) // _SLICES_A_ROW)
    width = max(9.0, 2.4 * min(len(names), _SLICES_A_ROW) + 2)
    figure = Figure(figsize=(width, 4.2 + 2.6 * rows), layout="constrained")
    figure.suptitle(title, fontsize=10)
    grid = figure.add_gridspec(1 + rows, _SLICES_A_ROW, height_ratios=[1.5, *[1.0] * rows])
    scores = np.array([trial.score for trial in trials])
    span = float(np.ptp(scores)) or 1.0
    shares = (scores - scores.min()) / span
    colors = [
        WRONG if trial.run_id == best_run else _COLORS(0.9 * share)
        for trial, share in zip(trials, shares, strict=True)
    ]
    positions = {name: _positions(spec, name, trials) for name in names}
    _draw_parallel(figure.add_subplot(grid[0, :]), spec, positions, scores, shares, colors)
    for number, name in enumerate(names):
        axes = figure.add_subplot(grid[1 + number // _SLICES_A_ROW, number % _SLICES_A_ROW])
        _draw_slice(axes, spec, name, positions[name], scores, colors)
        axes.set(ylabel=spec.objective.metric if number % _SLICES_A_ROW == 0 else "")
    return figure


@dataclass(frozen=True)
class _Positions:
    """Positions of the trials on the axis of a hyperparameter, from 0 to 1, and the labels of the axis."""

    shares: np.ndarray[Any, np.dtype[np.float64]]
    ticks: list[tuple[float, str]]


def _positions(spec: ModelSpec, name: str, trials: Sequence[Trial]) -> _Positions:
    found = spec.search[name]
    texts = [trial.values[name] for trial in trials]
    if isinstance(found, Choice):
        values = [str(value) for value in found.values]
        places = np.linspace(0, 1, len(values)) if len(values) > 1 else np.array([0.5])
        by_value = dict(zip(values, places.tolist(), strict=True))
        return _Positions(
            np.array([by_value.get(text, 0.5) for text in texts]), [(by_value[each], each) for each in values]
        )
    numbers, limits = np.array([float(text) for text in texts]), np.array([found.minimum, found.maximum])
    if found.scale == "logarithmic":
        middle = float(np.sqrt(limits[0] * limits[1]))
        numbers, ends = np.log(numbers), np.log(limits)
    else:
        middle = float(limits.mean())
        ends = limits
    labels = [f"{each:.3g}" for each in (limits[0], middle, limits[1])]
    return _Positions(
        (numbers - ends[0]) / (ends[1] - ends[0]), list(zip((0.0, 0.5, 1.0), labels, strict=True))
    )


def _draw_parallel(
    axes: Axes,
    spec: ModelSpec,
    positions: dict[str, _Positions],
    scores: Any,
    shares: Any,
    colors: Sequence[Any],
) -> None:
    names = [*positions, spec.objective.metric_name]
    columns = [*(each.shares for each in positions.values()), shares]
    for number, color in enumerate(colors):
        is_best = color == WRONG
        line = [column[number] for column in columns]
        axes.plot(line, color=color, linewidth=2.2 if is_best else 1.0, zorder=3 if is_best else 2, alpha=0.9)
    ticks = [*(each.ticks for each in positions.values())]
    ticks.append([(0.0, f"{scores.min():.4g}"), (1.0, f"{scores.max():.4g}")])
    for place, marks in enumerate(ticks):
        axes.axvline(place, color="gray", linewidth=0.8, zorder=1)
        for height, text in marks:
            axes.annotate(
                text, (place, height), (3, 2), textcoords="offset points", fontsize=7, color="dimgray"
            )
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.set(yticks=[], ylim=(-0.05, 1.1), xlim=(-0.1, len(names) - 0.6))
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(False)


def _draw_slice(
    axes: Axes, spec: ModelSpec, name: str, positions: _Positions, scores: Any, colors: Sequence[Any]
) -> None:
    axes.scatter(positions.shares, scores, c=list(colors), s=22)
    axes.set_xticks(
        [place for place, _ in positions.ticks], [text for _, text in positions.ticks], fontsize=7
    )
    scale = getattr(spec.search[name], "scale", "linear")
    axes.set_xlabel(f"{name} (logarithmic)" if scale == "logarithmic" else name, fontsize=8)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlim(-0.08, 1.08)
