"""The text of model.yaml, each choice with its reason in a comment."""

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from ml_code.table.columns import Dialect
from operations.model_init.baseline import DEVIATIONS, SPLITS, Baseline
from operations.model_init.draft import SEED, SPLIT, TUNING, Draft
from operations.model_init.estimators import Candidate
from operations.model_init.raw_table import shown

_WIDTH = 110
_UNLIMITED = 10**9


def render(draft: Draft, candidate: Candidate, baselines: Mapping[str, Baseline]) -> str:
    """`baselines` by estimator; with none, the gate lets everything through."""
    lines = [*_head(draft), "", *_columns(draft), "", *_split(draft), ""]
    lines += [*_estimator(draft, candidate, baselines), "", *_goals(draft, candidate, baselines)]
    return "\n".join(lines) + "\n"


def _head(draft: Draft) -> Iterator[str]:
    whole = "all rows are" if draft.sample.is_whole_file else f"{len(draft.sample.places):,} of them are"
    yield f"# From {shown(draft.source)}: {draft.row_count:,} rows; {whole} in data/. More go into the data bucket, under raw/."
    for remark in draft.table.remarks:
        yield f"# {remark}"
    if count := draft.task.target.missing_count:
        yield f"# {count:,} rows have no target and are not in data/: leave them out of the data bucket, too."
    yield _entry("name", draft.name)
    target = shown(draft.task.target.name)
    text = f"Predicts {target} from {len(draft.features)} columns of {shown(draft.source)}."
    yield _entry("description", _flow(text))


def _columns(draft: Draft) -> Iterator[str]:
    counts = draft.task.class_counts
    if draft.task.has_classes:
        kind = (
            "two classes, the second is the positive one"
            if draft.task.is_binary
            else f"{len(counts)} classes"
        )
        why = f"{kind}; rows of each: {', '.join(f'{count:,}' for count in counts[:10])}{' …' * (len(counts) > 10)}"
    else:
        why = "a number with many different values"
    yield _entry("task", draft.task.task, why)
    if dialect := _dialect(draft.table.dialect):
        yield _entry("csv", _flow(dialect))
    if len(draft.table.missing_values) > 1:
        yield _entry("missingValues", _flow(list(draft.table.missing_values)), "found in the file")
    yield _entry("target", _flow(draft.target.fields))
    yield "features: # limits leave as much room again as the values span; what is beyond is refused, as a slip"
    for column, described in draft.features:
        missing = column.missing_count
        gaps = f"missing in {missing:,} rows ({missing / draft.row_count:.1%})" if missing else ""
        yield from _item(described.fields, "; ".join(filter(None, (gaps, described.remark))))
    if draft.ignored:
        yield "ignored: # in the files, and no model sees them; one that belongs to the features goes there with its type"
        for name, why in draft.ignored.items():
            yield from _item(name, why)
    if any(column.column.type == "string" for column, _ in draft.features):
        why = "a category that is not listed counts as a missing value; error refuses the row"
        yield _entry("unknown_categories", "unknown", why)


def _dialect(dialect: Dialect) -> dict[str, str]:
    """The members of the dialect that differ from the default."""
    given = {
        "delimiter": (dialect.delimiter, ","),
        "decimalChar": (dialect.decimal_char, "."),
        "groupChar": (dialect.group_char, ""),
        "encoding": (dialect.encoding, "utf-8"),
    }
    return {name: value for name, (value, default) in given.items() if value != default}


def _split(draft: Draft) -> Iterator[str]:
    by = draft.split_by
    fields: dict[str, Any] = SPLIT if by.value == "content" else {**SPLIT, "by": by.value}
    yield _entry("split", _flow(fields), by.why)
    dates = [column for column, _ in draft.features if column.column.type in ("date", "datetime")]
    if dates:
        # The day after which a fifth of the rows are.
        limit = datetime.fromtimestamp(float(np.nanquantile(dates[0].cells, 1 - SPLIT["test"])), UTC)
        by_time = _flow({"time": dates[0].name, "test_from": limit.date()})
        yield f"# by: {by_time} tests on later rows than it trains on: right where a model predicts the future."
    groups = [name for name, why in draft.ignored.items() if "see split" in why]
    if groups:
        yield f"# by: {_flow({'group': groups[0]})} keeps the rows of one in one part; give the column its type below ignored."
    yield _entry("seed", SEED)


def _estimator(draft: Draft, candidate: Candidate, baselines: Mapping[str, Baseline]) -> Iterator[str]:
    yield f"# {candidate.why[0].upper()}{candidate.why[1:]}."
    if len(baselines) > 1:
        yield f"# {draft.metric.value} of those tried, mean of {SPLITS} random test parts and its standard deviation:"
        for estimator, baseline in baselines.items():
            yield f"#   {baseline.mean:.3f} ± {baseline.deviation:.3f} {estimator}"
    yield _entry("estimator", candidate.estimator)
    if candidate.scaler:
        yield _entry("scaler", candidate.scaler)
    if draft.is_balanced_by_weight:
        yield _entry("class_weight", "balanced", "the classes differ much in their number of rows")
    if candidate.hyperparameters:
        yield _entry("hyperparameters", _flow(candidate.hyperparameters))
    yield "search: # around the defaults of the library"
    for name, found in candidate.search.items():
        yield f"  {_entry(name, _flow(found))}"


def _goals(draft: Draft, candidate: Candidate, baselines: Mapping[str, Baseline]) -> Iterator[str]:
    metric = draft.metric
    yield _entry(
        "tuning",
        _flow(TUNING),
        f"{TUNING['max_jobs']} training jobs, two at once; later ones learn from earlier ones",
    )
    yield _entry("objective", _flow({"metric": metric.value}), f"on the validation part: {metric.why}")
    baseline = baselines.get(candidate.estimator)
    if baseline is None:
        yield _entry("gate", _flow({"metric": metric.value, "threshold": 0.0, "mode": "disabled"}))
        return
    yield f"# On the test part. With default hyperparameters it is {baseline.mean:.3f}, and {baseline.guess:.3f} without any column;"
    yield f"# the threshold is {DEVIATIONS} standard deviations lower, so that a model as good as this one passes by any test part."
    if baseline.is_weak:
        yield "# That is little more than chance: the columns hardly predict the target."
    gate = {
        "metric": metric.value,
        "threshold": baseline.threshold,
        "tolerance": baseline.tolerance,
        "mode": "enabled",
    }
    yield _entry("gate", _flow(gate), "or dry_run, disabled")


def _entry(key: str, text: Any, comment: str = "") -> str:
    """`text` is YAML already, or a plain name or number."""
    written = f"{key}: {text}"
    return f"{written} # {comment}" if comment else written


def _item(value: Any, comment: str) -> Iterator[str]:
    line = f"  - {_flow(value)}"
    if not comment:
        yield line
    elif len(line) + len(comment) + 3 <= _WIDTH:
        yield f"{line} # {comment}"
    else:
        yield f"  # {comment}"
        yield line


def _flow(value: Any) -> str:
    """YAML on one line, quoted by the library where needed."""
    yaml = YAML()
    yaml.width = _UNLIMITED
    text = io.StringIO()
    yaml.dump(_in_flow({"value": value}), text)
    return text.getvalue().strip().removeprefix("{value: ").removesuffix("}")


def _in_flow(value: Any) -> Any:
    if isinstance(value, Mapping):
        value = CommentedMap({_in_flow(name): _in_flow(each) for name, each in value.items()})
    elif isinstance(value, list):
        value = CommentedSeq([_in_flow(each) for each in value])
    else:
        # A line break of any alphabet would be folded, but for quotes.
        is_odd = isinstance(value, str) and not value.isprintable()
        return DoubleQuotedScalarString(value) if is_odd else value
    value.fa.set_flow_style()
    return value
