import json
from collections.abc import Mapping
from typing import Any

from tests.stacks.synthesis import ACCOUNT, REGION, Synthesise, Synthesised

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:model-factory-notifications"


def rules(factory: Synthesised) -> dict[str, Mapping[str, Any]]:
    """The rules that tell people, by the name of their construct."""
    start = "ObservabilityNotifications"
    return {
        key.removeprefix(start)[:-8]: found["Properties"]
        for key, found in factory.of_type("AWS::Events::Rule").items()
        if key.startswith(start)
    }


def test_each_kind_of_failure_and_a_waiting_approval_are_told(factory: Synthesised) -> None:
    found = rules(factory)
    assert found.keys() == {"BuildFailed", "TrainingFailed", "ActionFailed", "ApprovalNeeded", "Alarm"}
    for rule in found.values():
        (target,) = rule["Targets"]
        assert target["Arn"] == TOPIC
        first, *others = target["InputTransformer"]["InputTemplate"].splitlines()
        assert all(line[0] == line[-1] == '"' for line in (first, *others))
        assert any(": https://" in line or "link>" in line for line in others), "no link"


def test_only_this_factorys_events_are_told(factory: Synthesised) -> None:
    details = {key: rule["EventPattern"]["detail"] for key, rule in rules(factory).items()}
    beginnings = [{"prefix": "model-factory-digits-"}, {"prefix": "model-factory-push"}]
    assert details["BuildFailed"]["project-name"] == beginnings
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:pipeline/model-factory-digits"
    assert details["TrainingFailed"]["pipelineArn"] == [arn]
    assert (
        details["ActionFailed"]["pipeline"]
        == details["ApprovalNeeded"]["pipeline"]
        == ["model-factory-digits", "model-factory-push"]
    )
    alarms = {
        found["Properties"]["AlarmName"] for found in factory.of_type("AWS::CloudWatch::Alarm").values()
    }
    assert set(details["Alarm"]["alarmName"]) < alarms


def test_eventbridge_may_publish_without_a_condition_which_it_could_not_meet(factory: Synthesised) -> None:
    statements = factory.only("AWS::SNS::TopicPolicy")["Properties"]["PolicyDocument"]["Statement"]
    (allowed,) = [each for each in statements if each["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "events.amazonaws.com"}
    assert "Condition" not in allowed
    (denied,) = [each for each in statements if each["Effect"] == "Deny"]
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_alarms_watch_delivery_training_and_production(factory: Synthesised) -> None:
    found = {
        alarm["Properties"]["AlarmName"]: alarm["Properties"]
        for alarm in factory.of_type("AWS::CloudWatch::Alarm").values()
    }
    assert {name: alarm["MetricName"] for name, alarm in found.items()} == {
        "model-factory-digits-delivery-failed": "FailedPipelineExecutions",
        "model-factory-digits-training-failed": "ExecutionFailed",
        "model-factory-digits-production-errors": "Invocation5XXErrors",
        "model-factory-digits-production-latency": "ModelLatency",
    }
    assert {alarm["TreatMissingData"] for alarm in found.values()} == {"notBreaching"}
    assert {"Name": "EndpointName", "Value": "model-factory-digits-production"} in found[
        "model-factory-digits-production-errors"
    ]["Dimensions"]


def test_the_dashboard_shows_delivery_training_and_both_endpoints(factory: Synthesised) -> None:
    dashboard = factory.only("AWS::CloudWatch::Dashboard")["Properties"]
    assert dashboard["DashboardName"] == f"model-factory-{REGION}"
    body = json.loads(dashboard["DashboardBody"])
    text = json.dumps(body)
    for shown in ("AWS/CodePipeline", "ModelBuildingPipeline", "model-factory-digits-staging", "Invocations"):
        assert shown in text
    assert body["widgets"][0]["type"] == "alarm"


def test_an_address_is_subscribed_only_where_it_is_set(factory: Synthesised, synthesise: Synthesise) -> None:
    assert not factory.of_type("AWS::SNS::Subscription")
    told = synthesise(
        {"monitoring.notification_email": "ops@example.com", "monitoring.monthly_budget_usd": 50}
    )
    subscription = told.only("AWS::SNS::Subscription")["Properties"]
    assert subscription == {"Protocol": "email", "Endpoint": "ops@example.com", "TopicArn": TOPIC}


def test_a_budget_counts_what_bears_the_factorys_tag(factory: Synthesised, synthesise: Synthesise) -> None:
    assert not factory.of_type("AWS::Budgets::Budget")
    told = synthesise(
        {"monitoring.notification_email": "ops@example.com", "monitoring.monthly_budget_usd": 50}
    )
    properties = told.only("AWS::Budgets::Budget")["Properties"]
    assert properties["Budget"]["BudgetLimit"] == {"Amount": 50, "Unit": "USD"}
    assert properties["ResourceTags"] == [{"Key": "model-factory", "Value": "model-factory"}]
    assert properties["Budget"]["CostFilters"] == {"TagKeyValue": ["user:model-factory$model-factory"]}
    for notification in properties["NotificationsWithSubscribers"]:
        assert notification["Subscribers"] == [{"SubscriptionType": "SNS", "Address": TOPIC}]
    statements = told.only("AWS::SNS::TopicPolicy")["Properties"]["PolicyDocument"]["Statement"]
    (costs,) = [each for each in statements if each.get("Sid") == "TellOfCosts"]
    assert costs["Principal"] == {"Service": "budgets.amazonaws.com"}
    assert costs["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_without_monitoring_there_is_nothing_of_it(synthesise: Synthesise) -> None:
    plain = synthesise({"monitoring": False})
    assert not [key for key in plain.resources if key.startswith("Observability")]
    assert "NotificationTopicArn" not in plain.outputs


def test_a_customers_key_encrypts_messages_and_lets_their_senders(synthesise: Synthesise) -> None:
    told = synthesise(
        {
            "encryption": "customer",
            "monitoring.notification_email": "ops@example.com",
            "monitoring.monthly_budget_usd": 50,
        }
    )
    assert told.only("AWS::SNS::Topic")["Properties"]["KmsMasterKeyId"]
    statements = told.only("AWS::KMS::Key")["Properties"]["KeyPolicy"]["Statement"]
    services = {each["Principal"].get("Service") for each in statements}
    assert services >= {"events.amazonaws.com", "budgets.amazonaws.com"}
