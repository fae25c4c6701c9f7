"""The picture of a verification."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ml_code.figures import WRONG, draw_predictions
from ml_code.spec import ModelSpec
from ml_code.spec.metric_names import CLASSIFICATION
from ml_code.table.frames import encode
from ml_code.verification.invoke import Answers
from ml_code.verification.test_rows import LabelledRows

GRID_ROWS, GRID_COLUMNS = 6, 10
RIGHT = "#444444"


def draw(
    path: Path, *, spec: ModelSpec, result: dict[str, Any], test_rows: LabelledRows, answers: Answers
) -> None:
    """Draw the figure that fits the task: images where model.yaml says that the features are one."""
    if spec.image and spec.is_classification:
        figure = _images(test_rows, answers, spec.image.shape)
    else:
        figure = draw_predictions(spec.classes, test_rows.truth, answers.predictions, answers.probabilities)
    figure.suptitle(_title(result), fontsize=13)
    figure.savefig(path, dpi=120)


def _title(result: dict[str, Any]) -> str:
    verdict = "passed" if result["passed"] else "FAILED"
    mistakes = f", {len(result['mistakes'])} mistakes" if result["task"] == CLASSIFICATION else ""
    return (
        f"{result['model']} version {result['model_version']} at {result['endpoint']}: "
        f"{result['metric']} {result['value']:.4f}, gate {result['threshold']:g}: {verdict}\n"
        f"{result['n']} held-out rows{mistakes}, commit {result['commit'][:8]}"
    )


def _images(test_rows: LabelledRows, answers: Answers, shape: tuple[int, int]) -> Figure:
    """Mistakes first, then other test_rows, as many as the grid takes."""
    is_wrong = np.asarray(answers.predictions) != np.asarray(test_rows.truth)
    order = np.argsort(~is_wrong, kind="stable")[: GRID_ROWS * GRID_COLUMNS]
    pixels = encode(test_rows.features, test_rows.schema)
    figure = Figure(figsize=(12, 9.8))
    axes = figure.subplots(GRID_ROWS, GRID_COLUMNS)
    # Given, because a layout engine would draw sixty panels several times to find it.
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.01, top=0.89, wspace=0.1, hspace=0.38)
    for panel in axes.flat:
        panel.set_axis_off()
    for panel, index in zip(axes.flat, order, strict=False):
        panel.set_axis_on()
        confidence = answers.confidences[index] if answers.confidences else None
        label = _label(test_rows.truth[index], answers.predictions[index], confidence)
        _image(panel, pixels[index].reshape(shape), label, wrong=bool(is_wrong[index]))
    return figure


def _label(true: Any, predicted: Any, confidence: float | None) -> str:
    sure = "" if confidence is None else f" ({confidence:.0%})"
    return f"true {true}\npredicted {predicted}{sure}"


def _image(panel: Axes, pixels: NDArray[np.float64], label: str, *, wrong: bool) -> None:
    colour = WRONG if wrong else RIGHT
    panel.imshow(pixels, cmap="gray_r", interpolation="nearest")
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_title(label, fontsize=8, color=colour, fontweight="bold" if wrong else "normal")
    for spine in panel.spines.values():
        spine.set_color(colour)
        spine.set_linewidth(2.5 if wrong else 0.6)
