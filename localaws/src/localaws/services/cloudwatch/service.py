"""The operations of CloudWatch on metrics and alarms that moto only pretends; moto has the others."""

import time
from datetime import UTC, datetime
from typing import Any

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.metrics import STATISTICS, Metric, Summary, is_percentile, metric
from localaws.core.validation import refuse_members
from localaws.services.cloudwatch import alarms

MAX_DATAPOINTS = 1440


def put_metric_data(account: Account, request: Json) -> Json:
    refuse_members(request, {"Namespace", "MetricData"}, "PutMetricData")
    if str(request["Namespace"]).startswith("AWS/"):
        raise _invalid('The value AWS/ for parameter Namespace is invalid: "AWS/" is reserved.')
    datapoints = [(_metric(request["Namespace"], item), _datum(item), item) for item in request["MetricData"]]
    for key, summary, item in datapoints:
        account.metrics.add(key, summary, _seconds(item["Timestamp"]) if "Timestamp" in item else time.time())
    return {}


def get_metric_statistics(account: Account, request: Json) -> Json:
    refuse_members(request, _STATISTICS_MEMBERS, "GetMetricStatistics")
    period = int(request["Period"])
    plain, extended = request.get("Statistics", []), request.get("ExtendedStatistics", [])
    if bool(plain) == bool(extended):
        raise ServiceError(
            "InvalidParameterCombination",
            "Must specify either Statistics or ExtendedStatistics, and not both",
        )
    for name in (*plain, *extended):
        _check_statistic(name)
    start, end = _range(request)
    if (end - start) / period > MAX_DATAPOINTS:
        raise ServiceError(
            "InvalidParameterCombination",
            f"You have requested up to {(end - start) / period:.0f} datapoints, which exceeds the limit of "
            f"{MAX_DATAPOINTS}. You may reduce the datapoints requested by increasing Period, or decreasing the "
            "time range.",
        )
    key = _metric(request["Namespace"], request)
    datapoints = []
    for begin, summary in account.metrics.periods(key, start, end, period):
        datapoint: Json = {"Timestamp": _time(begin), "Unit": "None"}
        datapoint |= {name: summary.statistic(name) for name in plain}
        if extended:
            datapoint["ExtendedStatistics"] = {name: summary.statistic(name) for name in extended}
        datapoints.append(datapoint)
    return {"Label": request["MetricName"], "Datapoints": datapoints}


def get_metric_data(account: Account, request: Json) -> Json:
    refuse_members(request, {"MetricDataQueries", "StartTime", "EndTime", "ScanBy"}, "GetMetricData")
    start, end = _range(request)
    results = []
    for query in request["MetricDataQueries"]:
        refuse_members(query, {"Id", "MetricStat", "Label", "ReturnData"}, "MetricDataQueries")
        stat = query["MetricStat"]
        refuse_members(stat, {"Metric", "Period", "Stat"}, "MetricStat")
        _check_statistic(stat["Stat"])
        key = _metric(stat["Metric"]["Namespace"], stat["Metric"])
        periods = account.metrics.periods(key, start, end, int(stat["Period"]))
        if request.get("ScanBy", "TimestampDescending") == "TimestampDescending":
            periods.reverse()
        if query.get("ReturnData", True):
            results.append(
                {
                    "Id": query["Id"],
                    "Label": query.get("Label", key.name),
                    "Timestamps": [_time(begin) for begin, _ in periods],
                    "Values": [summary.statistic(stat["Stat"]) for _, summary in periods],
                    "StatusCode": "Complete",
                }
            )
    return {"MetricDataResults": results}


def list_metrics(account: Account, request: Json) -> Json:
    refuse_members(request, {"Namespace", "MetricName", "Dimensions"}, "ListMetrics")
    found = [
        {"Namespace": key.namespace, "MetricName": key.name, "Dimensions": _dimensions(key)}
        for key in account.metrics.metrics()
        if request.get("Namespace", key.namespace) == key.namespace
        and request.get("MetricName", key.name) == key.name
        and all(_has(key, wanted) for wanted in request.get("Dimensions", []))
    ]
    return {"Metrics": found}


def _metric(namespace: str, item: Json) -> Metric:
    return metric(
        namespace,
        item["MetricName"],
        {dimension["Name"]: dimension["Value"] for dimension in item.get("Dimensions", [])},
    )


def _datum(item: Json) -> Summary:
    summary = Summary()
    forms = [name for name in ("Value", "Values", "StatisticValues") if name in item]
    if len(forms) != 1:
        raise ServiceError(
            "InvalidParameterCombination",
            f"MetricData of {item['MetricName']} needs one of Value, Values, StatisticValues; got {forms}.",
        )
    if statistics := item.get("StatisticValues"):
        summary.set_count, summary.set_sum = float(statistics["SampleCount"]), float(statistics["Sum"])
        summary.extremes = [float(statistics["Minimum"]), float(statistics["Maximum"])]
    else:
        values = item.get("Values", [item.get("Value")])
        for value, count in zip(values, item.get("Counts", [1] * len(values)), strict=True):
            summary.values[float(value)] += int(float(count))
    return summary


def _check_statistic(name: str) -> None:
    if name not in STATISTICS and not is_percentile(name):
        raise _invalid(f"The local AWS does not support the statistic {name}; it supports {_SUPPORTED}.")


def _range(request: Json) -> tuple[float, float]:
    start, end = _seconds(request["StartTime"]), _seconds(request["EndTime"])
    if start >= end:
        raise _invalid("The parameter StartTime must be less than the parameter EndTime.")
    return start, end


def _dimensions(key: Metric) -> list[Json]:
    return [{"Name": name, "Value": value} for name, value in sorted(key.dimensions)]


def _has(key: Metric, wanted: Json) -> bool:
    return any(
        name == wanted["Name"] and wanted.get("Value", value) == value for name, value in key.dimensions
    )


def _seconds(moment: Any) -> float:
    found: datetime = moment
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterValue", message)


_SUPPORTED = f"{', '.join(STATISTICS)} and percentiles such as p90"
_STATISTICS_MEMBERS = {
    *("Namespace", "MetricName", "Dimensions", "StartTime", "EndTime"),
    *("Period", "Statistics", "ExtendedStatistics"),
}

OPERATIONS = {
    "PutMetricData": put_metric_data,
    "GetMetricStatistics": get_metric_statistics,
    "GetMetricData": get_metric_data,
    "ListMetrics": list_metrics,
    "PutMetricAlarm": alarms.put_metric_alarm,
    "PutCompositeAlarm": alarms.refuse_composite,
    "SetAlarmState": alarms.set_alarm_state,
}
