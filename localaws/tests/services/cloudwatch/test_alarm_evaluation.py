"""States of alarms, by AWS's own tables of how missing data is treated."""

import pytest

from localaws.services.cloudwatch.alarm_evaluation import Rule, evaluate

STAYS = "stays"
UNKNOWN = "INSUFFICIENT_DATA"
# Oldest first, as AWS writes them: 0 within the threshold, X beyond it, - missing.
THREE_OF_THREE = {
    "0 - X - X": ("OK", "OK", "OK", "OK"),
    "- - - - 0": ("OK", "OK", "OK", "OK"),
    "- - - - -": (UNKNOWN, STAYS, "ALARM", "OK"),
    "0 X X - X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "- - X - -": ("ALARM", STAYS, "ALARM", "OK"),
}
TWO_OF_THREE = {
    "0 - X - X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "0 0 X 0 X": ("ALARM", "ALARM", "ALARM", "ALARM"),
    "0 - X - -": ("OK", "OK", "ALARM", "OK"),
    "- - - - 0": ("OK", "OK", "ALARM", "OK"),
    "- - - X -": ("ALARM", STAYS, "ALARM", "OK"),
}
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
CASES = [
    (wanted, points, treatment, state)
    for wanted, table in ((3, THREE_OF_THREE), (2, TWO_OF_THREE))
    for points, states in table.items()
    for treatment, state in zip(TREATMENTS, states, strict=True)
]


def rule(wanted: int = 1, periods: int = 1, missing: str = "notBreaching", comparison: str = "") -> Rule:
    return Rule(
        threshold=1.0,
        comparison=comparison or "GreaterThanOrEqualToThreshold",
        evaluation_periods=periods,
        datapoints_to_alarm=wanted,
        missing=missing,
    )


@pytest.mark.parametrize(("wanted", "points", "treatment", "state"), CASES)
def test_missing_data(wanted: int, points: str, treatment: str, state: str) -> None:
    values = {"0": 0.0, "X": 5.0, "-": None}
    newest_first = [values[point] for point in reversed(points.split())]
    verdict = evaluate(rule(wanted, 3, treatment), newest_first)
    assert (verdict.state if verdict else STAYS) == state


@pytest.mark.parametrize(
    ("comparison", "states"),
    [
        ("GreaterThanOrEqualToThreshold", ["OK", "ALARM", "ALARM"]),
        ("GreaterThanThreshold", ["OK", "OK", "ALARM"]),
        ("LessThanThreshold", ["ALARM", "OK", "OK"]),
        ("LessThanOrEqualToThreshold", ["ALARM", "ALARM", "OK"]),
    ],
)
def test_comparisons(comparison: str, states: list[str]) -> None:
    verdicts = [evaluate(rule(comparison=comparison), [value, None, None]) for value in (0.0, 1.0, 2.0)]
    assert [verdict.state for verdict in verdicts if verdict] == states


def test_the_reason_says_what_was_measured() -> None:
    verdict = evaluate(rule(2, 3), [5.0, 0.0, 4.0, None, None])
    assert verdict is not None
    assert verdict.reason == (
        "Threshold Crossed: 2 out of the last 3 datapoints [5.0, 4.0] were greater than or equal to the threshold "
        "(1.0) (minimum 2 datapoints for OK -> ALARM transition)."
    )
    verdict = evaluate(rule(2, 3), [5.0, 0.0, 0.5, None, None])
    assert verdict is not None
    assert "2 out of the last 3 datapoints [0.0, 0.5] were not greater than or equal to" in verdict.reason
    verdict = evaluate(rule(), [None, None, None])
    assert verdict is not None
    assert verdict.reason == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
        "[NonBreaching]."
    )
