"""A factory of several models: what starts what, settings of one model, and how many fit."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ml_code.spec import load_spec
from stacks.model_factory_stack import ModelFactoryStack
from stacks.names import FactoryNames, check_names
from stacks.settings.model import model_config
from stacks.template_limits import MAX_BYTES, check_resources, check_size
from tests.stacks.synthesis import (
    ACCOUNT,
    EXAMPLE_MODEL,
    PROJECT,
    REGION,
    Synthesised,
    cdk_app,
    configured,
    environment,
    read_assembly,
    without_account,
)

MODELS = ("churn", "digits", "flights")
OWNERS = ("ann@example.com", "bob@example.com")
OWN = {"churn": {"owners": list(OWNERS), "approval": "automatic"}}
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:model-factory-churn-owners"


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    before = dict(os.environ)
    without_account(os.environ)
    outdir = str(tmp_path_factory.mktemp("models"))
    app, stack = cdk_app({}, outdir, models=MODELS, own=OWN)
    app.synth()
    os.environ.clear()
    os.environ.update(before)
    return read_assembly(outdir, stack)


def test_a_push_starts_what_looks_for_changes_and_no_delivery(factory: Synthesised) -> None:
    pushes = [
        found["Properties"]["Targets"]
        for found in factory.every("AWS::Events::Rule").values()
        if found["Properties"].get("EventPattern", {}).get("source") == ["aws.codecommit"]
    ]
    ((target,),) = pushes
    assert target["Arn"] == f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{factory.name}-push"
    pipelines = [found["Properties"] for found in factory.every("AWS::CodePipeline::Pipeline").values()]
    stages = {each["Name"]: [stage["Name"] for stage in each["Stages"]] for each in pipelines}
    of_model = ["Source", "Build", "Staging", "Approval", "Production"]
    assert stages.pop(f"{factory.name}-push") == ["Source", "Build"]
    assert stages.pop(f"{factory.name}-churn") == [stage for stage in of_model if stage != "Approval"]
    assert stages == {f"{factory.name}-{model}": of_model for model in MODELS if model != "churn"}


def test_production_knows_whether_a_person_approves(factory: Synthesised) -> None:
    told = {
        model: environment(factory, f"{factory.name}-{model}-deploy-production").get("APPROVAL")
        for model in MODELS
    }
    assert told == {"churn": "automatic", "digits": "manual", "flights": "manual"}


def test_owners_get_the_messages_of_their_model_and_of_no_other(factory: Synthesised) -> None:
    subscriptions = [found["Properties"] for found in factory.every("AWS::SNS::Subscription").values()]
    assert {each["TopicArn"] for each in subscriptions} == {TOPIC}
    assert sorted(each["Endpoint"] for each in subscriptions) == sorted(OWNERS)
    details = [
        json.dumps(rule["Properties"]["EventPattern"]["detail"])
        for rule in factory.every("AWS::Events::Rule").values()
        if TOPIC in [target["Arn"] for target in rule["Properties"]["Targets"]]
    ]
    assert len(details) == 5
    for detail in details:
        assert "model-factory-churn" in detail
        assert "prefix" not in detail, "it would match the builds of a model whose name begins alike"
        assert not [other for other in ("digits", "flights", "push") if other in detail]


def test_the_owners_topic_exists_before_the_first_delivery(factory: Synthesised) -> None:
    (topic,) = [
        key
        for key, found in factory.every("AWS::SNS::Topic").items()
        if found["Properties"]["TopicName"] == "model-factory-churn-owners"
    ]
    (pipeline,) = [
        found
        for found in factory.every("AWS::CodePipeline::Pipeline").values()
        if found["Properties"]["Name"] == "model-factory-churn"
    ]
    assert topic in pipeline["DependsOn"]


def test_the_release_of_a_model_knows_its_owners(factory: Synthesised) -> None:
    told = {
        model: json.loads(environment(factory, f"{factory.name}-{model}-deploy-staging")["OWNERS"])
        for model in MODELS
    }
    assert told == {"churn": list(OWNERS), "digits": [], "flights": []}


def test_each_model_has_what_a_model_needs(factory: Synthesised) -> None:
    counts = {
        "AWS::SageMaker::Pipeline": 1,
        "AWS::CodeBuild::Project": 3,
        "AWS::CloudFormation::CustomResource": 1,
    }
    for type_, count in counts.items():
        found = [key for key in factory.every(type_) if key.startswith("Model")]
        assert len(found) == count * len(MODELS), type_
    tagged = {
        tag["Value"]
        for role in factory.every("AWS::IAM::Role").values()
        for tag in role["Properties"].get("Tags", [])
        if tag["Key"] == "model-name"
    }
    assert tagged == set(MODELS)


def test_builds_know_of_each_other_to_wait_for_their_turn(factory: Synthesised) -> None:
    builds = {
        found["Properties"]["Name"]: {
            item["Name"]: item["Value"] for item in found["Properties"]["Environment"]["EnvironmentVariables"]
        }
        for found in factory.every("AWS::CodeBuild::Project").values()
    }
    projects = [f"{factory.name}-{model}-build" for model in MODELS]
    for project in projects:
        assert json.loads(builds[project]["BUILD_PROJECTS"]) == projects
        assert builds[project]["MAX_PARALLEL_TRAININGS"] == "2"


def own(settings: dict[str, Any]) -> Any:
    return model_config(configured({"compute.evaluate.instance_type": "ml.m5.xlarge"}), "churn", settings)


def test_a_model_s_settings_stand_above_those_of_the_factory() -> None:
    found = own(
        {
            "production": {"type": "realtime", "instance_type": "ml.c5.large"},
            "compute": {"training": {"spot": False}},
            "triggers": {"schedule": "rate(1 day)"},
        }
    )
    assert (found.production.type, found.production.instance_type) == ("realtime", "ml.c5.large")
    assert found.compute.training.spot is False
    assert found.compute.evaluate.instance_type == "ml.m5.xlarge"
    assert found.triggers.schedule == "rate(1 day)"
    assert own({}) == configured({"compute.evaluate.instance_type": "ml.m5.xlarge"})


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"mlflow": {"type": "app"}}, "models/churn/model.yaml: factory.mlflow is no setting of a model"),
        ({"triggers": {"push": False}}, "factory.triggers.push is no setting of a model; allowed: new_data"),
        ({"compute": {"training": {"instance_type": "x"}}}, "models/churn/model.yaml: .*instance_type"),
        ({"compute": {"colour": 1}}, "models/churn/model.yaml: .*colour"),
        ({"owners": ["nobody"]}, "factory.owners is .*, allowed is a list of at most 10 different e-mail"),
        ({"approval": "never"}, "factory.approval is 'never', allowed is one of manual, automatic"),
    ],
)
def test_what_is_no_setting_of_a_model_is_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        own(settings)


def test_owners_without_monitoring_would_hear_nothing() -> None:
    with pytest.raises(ValueError, match=r"factory.owners is .*, allowed is none while monitoring is false"):
        model_config(configured({"monitoring": False}), "churn", {"owners": ["ann@example.com"]})


def test_a_retired_model_has_nothing_and_one_is_left_at_least(tmp_path: Any) -> None:
    spec = load_spec(EXAMPLE_MODEL).model_copy(update={"retire": True})
    app, _ = cdk_app({}, str(tmp_path))
    with pytest.raises(ValueError, match="All models have retire: true"):
        ModelFactoryStack(
            app,
            config=configured({"name": "other"}),
            specs=[spec],
            project_files={},
            account=None,
            region=REGION,
        )


@pytest.mark.parametrize(
    ("models", "unprefixed", "sentence"),
    [
        (("m" * 23,), "", "has 23 characters; allowed in the factory 'model-factory': 22"),
        (("churn_a", "churn-a"), "", "would both have the names model-factory-churn-a-"),
        (
            ("churn", "churn-staging"),
            "",
            "rename it, so that it does not begin with 'model-factory-churn-staging'",
        ),
        (
            ("churn", "churn-owners"),
            "",
            "rename it, so that it does not begin with 'model-factory-churn-owners'",
        ),
        (("digits", "batch"), "digits", "rename it, so that it does not begin with 'model-factory-batch'"),
        (("push",), "", "one that does not begin with mlflow, notifications, push, teardown"),
    ],
)
def test_names_that_would_be_those_of_others_are_refused(
    models: tuple[str, ...], unprefixed: str, sentence: str
) -> None:
    names = FactoryNames(factory="model-factory", account="1", region="r", unprefixed_model=unprefixed)
    with pytest.raises(ValueError, match=sentence):
        check_names([names.of_model(model) for model in models])


def test_names_that_only_begin_alike_are_taken() -> None:
    names = FactoryNames(factory="model-factory", account="1", region="r")
    check_names([names.of_model(model) for model in ("churn", "churn-eu", "churner", "digits")])


def test_more_models_than_a_template_takes_are_refused_with_the_number_that_fits() -> None:
    check_resources(500, 400, model_count=10)
    with pytest.raises(
        ValueError, match=r"50 models and its template 2030 resources, .* takes 500: .* 11 models fit"
    ):
        check_resources(2030, 2000, model_count=50)
    check_size(MAX_BYTES, model_count=10)
    with pytest.raises(
        ValueError, match=r"50 models and its template 4,550,000 bytes, .* takes 1,000,000: .* 10 models fit"
    ):
        check_size(4_550_000, model_count=50)


@pytest.mark.slow
def test_a_synthesis_refuses_more_resources_than_fit(tmp_path: Path) -> None:
    models = [f"model{number}" for number in range(12)]
    own = {model: {"owners": list(OWNERS)} for model in models}
    with pytest.raises(ValueError, match=r"12 models and its template \d{3} resources, .* 10 models fit"):
        cdk_app({}, str(tmp_path), models=models, own=own)


def test_ten_models_fit_as_the_documentation_says(factory: Synthesised) -> None:
    size = (factory.directory / f"{factory.name}.template.json").stat().st_size
    assert 10 * size // len(MODELS) < MAX_BYTES
    assert "ten models with the default settings" in (PROJECT / "docs/operations.md").read_text()
