"""A report of the findings in a file, for a person."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from ml_code.spec import MODEL_YAML, MODELS
from operations.model_init.baseline import Baseline
from operations.model_init.draft import Draft
from operations.model_init.estimators import Candidate
from operations.model_init.raw_table import shown
from operations.table import print_table

_SHOWN_COLUMNS = 60


def print_columns(console: Console, draft: Draft) -> None:
    columns = {column.name: (column, described) for column, described in draft.features}
    rows = []
    for column in draft.table.columns:
        missing = f"{column.missing_count / draft.row_count:.1%}" if column.missing_count else ""
        if column.name == draft.task.target.name:
            rows.append(
                (
                    shown(column.name),
                    draft.task.target.column.type,
                    missing,
                    _one_line(draft.target.summary),
                    "the target",
                )
            )
        elif column.name in columns:
            _, described = columns[column.name]
            rows.append(
                (
                    shown(column.name),
                    column.column.type,
                    missing,
                    _one_line(described.summary),
                    described.remark,
                )
            )
        else:
            rows.append((shown(column.name), "left out", missing, "", draft.ignored[column.name]))
    if len(rows) > _SHOWN_COLUMNS:
        rows = [row for row in rows if row[1] == "left out" or row[4]]
        console.print(f"Of {len(draft.features)} features, those with a remark, and what is left out:")
    title = f"{shown(draft.source)}: {draft.row_count:,} rows, {len(draft.table.columns)} columns"
    print_table(console, title, ("column", "type", "missing", "values", "remark"), rows)
    for remark in draft.table.remarks:
        console.print(remark, markup=False, soft_wrap=True)


def _one_line(text: str) -> str:
    return shown(text) if text else ""


def print_choices(console: Console, draft: Draft, best: Candidate, baselines: Mapping[str, Baseline]) -> None:
    baseline, task = baselines[best.estimator], draft.task
    kind = f"{task.task} of {len(task.class_counts)} classes" if task.has_classes else task.task
    rows = [
        ("task", kind, f"{shown(task.target.name)}: {draft.target.summary}"),
        ("metric", draft.metric.value, draft.metric.why),
        ("split", draft.split_by.value, draft.split_by.why),
    ]
    for name, found in baselines.items():
        scores = f"{found.mean:.3f} ± {found.deviation:.3f} in {len(found.scores)} random test parts"
        rows.append(("estimator" if name == best.estimator else "tried", name.rpartition(".")[2], scores))
    if draft.is_balanced_by_weight:
        rows.append(("class_weight", "balanced", "the classes differ much in their number of rows"))
    gate = f"without any column {baseline.guess:.3f}; tolerance {baseline.tolerance:g} against production"
    rows.append(("gate", f"{draft.metric.value} >= {baseline.threshold:g}", gate))
    print_table(console, "Choices", ("what", "choice", "why"), rows)
    if baseline.is_weak:
        console.print("The columns hardly predict the target: the baseline is little more than chance.")


def print_next(console: Console, draft: Draft, taken_away: Sequence[Path], project: Path) -> None:
    folder = MODELS / draft.name
    sample = "the whole file" if draft.sample.is_whole_file else f"{len(draft.sample.places):,} of its rows"
    lines = [f"Written: {folder / MODEL_YAML}, with a reason for each choice, and {folder}/data: {sample}."]
    lines += [
        f"Taken away: {path.relative_to(project)}, the sample; "
        f"git restore {path.relative_to(project)} brings it back."
        for path in taken_away
    ]
    lines += [
        "Next:",
        "  make train",
        f"  git add --all {MODELS} && git commit -m 'Draft the model {draft.name}'",
        "  git push model-factory HEAD:main    # make deploy prints how to add this remote",
    ]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
