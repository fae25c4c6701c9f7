"""An alarm's state, computed from its datapoints: pure functions.

As AWS documents it, with both tables of
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass

EXTRA_PERIODS = 2  # which are looked at when datapoints are missing
OPERATORS = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


@dataclass(frozen=True, kw_only=True)
class Rule:
    threshold: float
    comparison: str
    evaluation_periods: int
    datapoints_to_alarm: int
    missing: str

    @property
    def range(self) -> int:
        return self.evaluation_periods + EXTRA_PERIODS


@dataclass(frozen=True)
class Verdict:
    state: str
    reason: str


def evaluate(rule: Rule, datapoints: Sequence[float | None]) -> Verdict | None:
    """`datapoints` are those of the last `rule.range` periods, newest first; None: the state stays."""
    wanted = rule.evaluation_periods
    real = [value for value in datapoints if value is not None][:wanted]
    breaching = [value for value in real if _breaches(rule, value)]
    absent = wanted - len(real)
    if absent and rule.missing in ("missing", "ignore"):
        if not real:
            return _nothing_known(rule)
        oldest = max(age for age, value in enumerate(datapoints) if value is not None)
        if len(breaching) == len(real) and oldest + 1 >= rule.datapoints_to_alarm:
            return None if rule.missing == "ignore" else _crossed(rule, real, "ALARM")
    bad = len(breaching) + (absent if rule.missing == "breaching" else 0)
    state = "ALARM" if bad >= rule.datapoints_to_alarm else "OK"
    shown = [value for value in real if _breaches(rule, value) == (state == "ALARM")]
    return _crossed(rule, shown, state) if shown else _filled(rule, absent, state)


def _breaches(rule: Rule, value: float) -> bool:
    compare, _ = OPERATORS[rule.comparison]
    return bool(compare(value, rule.threshold))


def _nothing_known(rule: Rule) -> Verdict | None:
    if rule.missing == "ignore":
        return None
    unknown = rule.evaluation_periods
    return Verdict(
        "INSUFFICIENT_DATA", f"Insufficient Data: {_count(unknown, 'datapoint')} {_were(unknown)} unknown."
    )


def _filled(rule: Rule, absent: int, state: str) -> Verdict:
    kind = {"breaching": "Breaching", "notBreaching": "NonBreaching"}.get(rule.missing, "Missing")
    return Verdict(
        state,
        f"Threshold Crossed: no datapoints were received for {_count(absent, 'period')} and "
        f"{_count(absent, 'missing datapoint')} {_were(absent)} treated as [{kind}].",
    )


def _crossed(rule: Rule, shown: list[float], state: str) -> Verdict:
    _, words = OPERATORS[rule.comparison]
    verb = "was" if len(shown) == 1 else "were"
    negation = "" if state == "ALARM" else "not "
    change = "OK -> ALARM" if state == "ALARM" else "ALARM -> OK"
    least = (
        rule.datapoints_to_alarm
        if state == "ALARM"
        else rule.evaluation_periods - rule.datapoints_to_alarm + 1
    )
    return Verdict(
        state,
        f"Threshold Crossed: {len(shown)} out of the last {_count(rule.evaluation_periods, 'datapoint')} "
        f"[{', '.join(str(value) for value in shown)}] {verb} {negation}{words} the threshold "
        f"({rule.threshold}) (minimum {_count(least, 'datapoint')} for {change} transition).",
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
