"""The rules between the fields of model.yaml: each is refused in one sentence that names the field and what is allowed."""

import json
import re
from typing import Any

import pytest

from ml_code.spec import ModelSpec, SpecError, parse_spec

CATEGORY = {"name": "shop", "type": "string", "constraints": {"enum": ["north", "south"]}}
BINARY: dict[str, Any] = {
    "name": "churn",
    "target": {"name": "left", "type": "boolean"},
    "features": [{"name": "age", "type": "number"}, CATEGORY],
    "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
    "seed": 1,
    "estimator": "sklearn.linear_model.LogisticRegression",
    "search": {"C": {"type": "continuous", "minimum": 0.1, "maximum": 1.0}},
    "tuning": {"strategy": "Random", "max_jobs": 2, "max_parallel_jobs": 2},
    "objective": {"metric": "f1"},
    "gate": {"metric": "f1", "threshold": 0.5},
}
THREE = {"target": {"name": "left", "type": "string", "constraints": {"enum": ["a", "b", "c"]}}}
ACCURACY = {"objective": {"metric": "accuracy"}, "gate": {"metric": "accuracy", "threshold": 0.5}}
NUMBER = {
    "target": {"name": "left", "type": "number"},
    "objective": {"metric": "rmse"},
    "gate": {"metric": "rmse", "threshold": 3},
}


def text(**changes: Any) -> str:
    """JSON is YAML; `@2026-01-31` is written as YAML's date."""
    return re.sub(r'"@([^"]*)"', r"\1", json.dumps({**BINARY, **changes}))


def feature(type_: str, /, **fields: Any) -> dict[str, Any]:
    return {"features": [{"name": "x", "type": type_, **fields}]}


def limited(type_: str, /, **constraints: Any) -> dict[str, Any]:
    return feature(type_, constraints=constraints)


def target(type_: str, /, **constraints: Any) -> dict[str, Any]:
    return {"target": {"name": "left", "type": type_, "constraints": constraints}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (feature("string"), "feature 'x' has type string; add constraints: {enum: [its categories]}"),
        (target("date"), "target is of type date; allowed: number, integer, string, boolean"),
        (target("string", enum=["a"]), "target has type string; add constraints: {enum: [two"),
        ({"target": {"name": "y{0..1}", "type": "boolean"}}, "target is 'y{0..1}'; allowed: one column"),
        ({"image": {"height": 2, "width": 2}}, "image has 2 x 2 pixels, and there are 2 features; allowed: a feature for"),
        ({"task": "regression"}, "task is regression and target is of type boolean; allowed: a number"),
        ({"task": "classification", **target("number")}, "target has no classes; allowed: boolean, enum, integer with"),
        ({"objective": {"metric": "rmse"}}, "objective.metric is rmse, a metric not of classification; allowed: accuracy"),
        (THREE, "objective.metric is f1, a metric of binary classification; allowed: accuracy"),
        ({**NUMBER, "class_weight": "balanced"}, "class_weight is given; allowed: for classification"),
        ({**THREE, **ACCURACY, "class_weight": {"d": 2}}, "class_weight names 'd'; allowed: classes of the target"),
        ({**THREE, **ACCURACY, "decision_threshold": 0.5}, "decision_threshold is given; allowed: for two classes"),
        ({"decision_threshold": 1.5}, "decision_threshold is 1.5; allowed: a number between 0 and 1, or what it makes best"),
        ({"decision_threshold": "luck"}, "decision_threshold is 'luck'; allowed: a number between 0 and 1"),
        ({"split": {**BINARY["split"], "by": {"group": "city"}}}, "split.by names the column 'city'; allowed: a feature"),
        ({"split": {**BINARY["split"], "by": {"time": "shop"}}}, "split.by.time is 'shop', of type string; allowed: a date"),
        ({"split": {**BINARY["split"], "by": {}}}, "allowed: content, target, {group: column} or {time: column}"),
        ({"csv": {"header": False}, "ignored": ["id"]}, "csv.header is false and there are ignored columns; allowed: files"),
        ({"csv": {"encoding": "klingon"}}, "it is 'klingon'; allowed: a name that Python knows, such as utf-8"),
        ({"csv": {"groupChar": "."}}, "decimalChar and groupChar are both '.'; allowed: two characters"),
        ({"csv": {"delimiter": '"'}}, "delimiter is '\"'; allowed: a character such as , ; or a tab"),
        ({"objective": {"metric": "luck"}}, "it is 'luck'; allowed: accuracy"),
        ({**NUMBER, "gate": {"metric": "pinball", "threshold": 3}}, "alpha is missing; pinball needs the quantile"),
        ({"gate": {"metric": "f1", "threshold": 0.5, "alpha": 0.5}}, "alpha is 0.5, and the metric is f1; allowed: with pinball only"),
        (feature("number", minimum=1), "minimum = 1 is no field of a column; give constraints: {minimum: 1}"),
        (feature("number", format="%Y"), "column 'x' has the format '%Y'; allowed: with type date and datetime"),
        (feature("date", format="iso"), "it is 'iso'; allowed: default (ISO 8601), or a pattern such as %d.%m.%Y"),
        (feature("number", trueValues=["j"]), "column 'x' has trueValues or falseValues; allowed: with type boolean only"),
        (feature("boolean", trueValues=["j"], falseValues=["j"]), "column 'x' has 'j' in trueValues and in falseValues"),
        (limited("number", enum=[1]), "column 'x' is of type number and has an enum; allowed: with string and integer"),
        (limited("string", enum=["a", 1]), "column 'x' has 1 in its enum; allowed: text, in quotes where YAML would read"),
        (limited("integer", enum=[1, "a"]), "column 'x' has 'a' in its enum; allowed: whole numbers"),
        (limited("string", enum=["a", "a"]), "'a' is there twice; allowed: once"),
        (limited("string", enum=["a "]), "it has 'a '; allowed: no space at the ends, because cells are read without theirs"),
        (limited("number", pattern="a"), "column 'x' has a pattern; allowed: with type string, without enum"),
        (limited("string", pattern="("), "it is '('; allowed: a regular expression (missing ), unterminated subpattern"),
        (limited("boolean", minimum=0), "column 'x' is of type boolean and has a minimum; allowed: with numbers and dates"),
        (limited("date", minimum=1), "column 'x': minimum is 1; allowed: a date such as 2026-01-31"),
        (limited("number", maximum="@2026-01-31"), "column 'x': maximum is 2026-01-31; allowed: a number"),
        (limited("number", minimum=2, maximum=1), "column 'x': minimum is 2; allowed: at most maximum = 1"),
        (limited("date", minimum="@2026-02-01", maximum="@2026-01-31"), "minimum is 2026-02-01; allowed: at most maximum"),
        ({"features": [{"name": "", "type": "number"}]}, "it is empty; allowed: the name in the header line"),
    ],
)  # fmt: skip
def test_fields_that_do_not_fit_each_other_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError) as refusal:
        parse_spec(text(**changes))
    assert sentence in str(refusal.value)
    assert "\n" not in str(refusal.value)


def spec_of(**changes: Any) -> ModelSpec:
    return parse_spec(text(**changes))


@pytest.mark.parametrize(
    ("changes", "classes"),
    [
        ({}, (False, True)),
        ({**THREE, **ACCURACY}, ("a", "b", "c")),
        ({**target("integer", minimum=3, maximum=5), **ACCURACY}, (3, 4, 5)),
        ({**NUMBER, **target("integer", minimum=0, maximum=5_000)}, ()),
        ({**NUMBER, **target("integer", minimum=0)}, ()),
        ({**NUMBER, **target("integer", minimum=0, maximum=5), "task": "regression"}, ()),
    ],
)
def test_the_target_tells_the_classes(changes: dict[str, Any], classes: tuple[Any, ...]) -> None:
    spec = spec_of(**changes)
    assert spec.classes == classes
    assert spec.is_classification == bool(classes)


@pytest.mark.parametrize(
    ("changes", "metric"),
    [
        ({"gate": {"metric": "balanced_accuracy", "threshold": 0.5}}, "balanced_accuracy"),
        ({"gate": {"metric": "roc_auc", "threshold": 0.5}}, "f1"),  # which no threshold changes
        ({"decision_threshold": "accuracy"}, "accuracy"),
        ({"decision_threshold": 0.3}, None),
        ({**THREE, **ACCURACY}, None),
    ],
)
def test_the_decision_threshold_follows_the_gate_unless_it_is_given(
    changes: dict[str, Any], metric: str | None
) -> None:
    assert spec_of(**changes).threshold_metric == metric


def test_dates_limit_columns_in_their_encoding() -> None:
    (column,) = spec_of(**limited("date", minimum="@2026-01-31")).request_schema().columns
    assert (column.minimum, column.maximum) == (1769817600.0, None)


def test_ignored_columns_with_a_type_are_read_and_no_feature() -> None:
    spec = spec_of(
        ignored=["note", {"name": "day", "type": "date"}], split={**BINARY["split"], "by": {"time": "day"}}
    )
    assert spec.request_schema().names == ["age", "shop"]
    assert spec.file_schema().names == ["age", "shop", "left", "day"]
