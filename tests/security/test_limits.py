"""What a pushed pipeline and a deployment may start: on these instances, in this network, with this key, this image."""

import json
from collections.abc import Iterator

import pytest

from ml_code.release.endpoint_settings import read_endpoint_settings
from tests.pipeline_requests import REQUESTS, all_steps
from tests.security.roles import (
    BATCH,
    DEPLOY_PRODUCTION,
    DEPLOY_STAGING,
    DRIFT_JOB,
    DRIFT_PIPELINE,
    ENDPOINT_PRODUCTION,
    ENDPOINT_STAGING,
    JOBS,
    PIPELINE,
    Context,
    MakeRoles,
    Roles,
)
from tests.stacks.synthesis import REGION, environment

CREATE_PROCESSING, CREATE_TUNING = (
    f"sagemaker:Create{job}Job" for job in ("Processing", "HyperParameterTuning")
)
JOB_ARNS = {
    CREATE_PROCESSING: "processing-job/pipelines-x-Preprocess-y",
    CREATE_TUNING: "hyper-parameter-tuning-job/x-Tune-y",
}
STARTERS = [
    (PIPELINE, CREATE_PROCESSING, "ml.t3.large"),
    (PIPELINE, CREATE_TUNING, "ml.m5.large"),
    (DRIFT_PIPELINE, CREATE_PROCESSING, "ml.t3.large"),
]
NETWORK_KEYS = ("sagemaker:VpcSubnets", "sagemaker:VpcSecurityGroupIds")


def job_context(found: Roles, instance_type: str) -> dict[str, list[str]]:
    """Condition keys of a job as the factory's own definition starts it in the configuration key-drift."""
    (bodies,) = {
        json.dumps(step["Arguments"]["NetworkConfig"]["VpcConfig"], sort_keys=True)
        for pipeline in found.factory.of_type("AWS::SageMaker::Pipeline").values()
        for step in json.loads(pipeline["Properties"]["PipelineDefinition"]["PipelineDefinitionBody"])[
            "Steps"
        ]
        if step["Type"] == "Processing"
    }
    vpc = json.loads(bodies)
    return {
        "sagemaker:InstanceTypes": [instance_type],
        "sagemaker:VpcSubnets": vpc["Subnets"],
        "sagemaker:VpcSecurityGroupIds": vpc["SecurityGroupIds"],
        "sagemaker:VolumeKmsKey": [key_arn(found)],
    }


def key_arn(found: Roles) -> str:
    (id_,) = found.factory.of_type("AWS::KMS::Key")
    return f"{id_}.Arn"


def changed(context: Context, key: str, *values: str) -> Context:
    """Without values: without the key."""
    return {name: [*each] for name, each in context.items() if name != key} | (
        {key: [*values]} if values else {}
    )


@pytest.mark.parametrize(("role", "action", "instance_type"), STARTERS)
def test_a_job_of_a_pushed_definition_is_in_the_network_with_the_key_on_the_types_of_the_settings(
    roles: MakeRoles, role: str, action: str, instance_type: str
) -> None:
    found = roles("key-drift")
    job = found.of_sagemaker(JOB_ARNS[action])
    own = job_context(found, instance_type)
    assert found.may(role, action, job, own)
    assert not found.may(role, action, job)
    for key in own:
        assert not found.may(role, action, job, changed(own, key)), f"without {key}"
        assert not found.may(role, action, job, changed(own, key, "foreign")), f"with a foreign {key}"
    for key in (*NETWORK_KEYS, "sagemaker:InstanceTypes"):
        assert not found.may(role, action, job, changed(own, key, *own[key], "foreign")), (
            f"with one more {key}"
        )


@pytest.mark.parametrize(("role", "action", "instance_type"), STARTERS[:2])
def test_without_network_and_key_the_types_are_limited(
    roles: MakeRoles, role: str, action: str, instance_type: str
) -> None:
    found = roles("default")
    job = found.of_sagemaker(JOB_ARNS[action])
    assert found.may(role, action, job, {"sagemaker:InstanceTypes": [instance_type]})
    for types in (["ml.p4d.24xlarge"], [instance_type, "ml.p4d.24xlarge"]):
        assert not found.may(role, action, job, {"sagemaker:InstanceTypes": types})
    assert not found.may(role, action, job)


def test_a_pipeline_starts_nothing_else(roles: MakeRoles) -> None:
    for configuration, role in (("default", PIPELINE), ("key-drift", DRIFT_PIPELINE)):
        found = roles(configuration)
        for action, path in (
            ("CreateTrainingJob", "training-job/x"),
            ("CreateTransformJob", "transform-job/x"),
            ("CreateModel", "model/x"),
            ("CreateEndpointConfig", "endpoint-config/x"),
            ("CreateEndpoint", "endpoint/x"),
            ("CreateNotebookInstance", "notebook-instance/x"),
        ):
            assert not found.may(role, f"sagemaker:{action}", found.of_sagemaker(path))


def test_a_model_on_instances_has_no_network_but_the_factory_s_and_none_for_its_code(
    roles: MakeRoles,
) -> None:
    found = roles("key-drift")
    model = found.of_sagemaker(f"model/{found.factory.prefix}-production-v1-0a1b2c3d")
    serving = json.loads(settings(found, "production"))
    own = {
        "sagemaker:NetworkIsolation": ["true"],
        "sagemaker:VpcSubnets": serving["subnets"],
        "sagemaker:VpcSecurityGroupIds": serving["security_groups"],
    }
    assert found.may(DEPLOY_PRODUCTION, "sagemaker:CreateModel", model, own)
    for key in own:
        assert not found.may(DEPLOY_PRODUCTION, "sagemaker:CreateModel", model, changed(own, key))
    for key, value in (("NetworkIsolation", "false"), ("VpcSubnets", "s"), ("VpcSecurityGroupIds", "g")):
        foreign = changed(own, f"sagemaker:{key}", value)
        assert not found.may(DEPLOY_PRODUCTION, "sagemaker:CreateModel", model, foreign)


def test_production_on_instances_runs_on_the_type_and_with_the_key_of_the_settings(roles: MakeRoles) -> None:
    found = roles("key-drift")
    config = found.of_sagemaker(f"endpoint-config/{found.factory.prefix}-production-v1-0a1b2c3d")
    own = {"sagemaker:InstanceTypes": ["ml.m5.large"], "sagemaker:VolumeKmsKey": [key_arn(found)]}
    assert found.may(DEPLOY_PRODUCTION, "sagemaker:CreateEndpointConfig", config, own)
    for key in own:
        for values in ((), ("foreign",)):
            context = changed(own, key, *values)
            assert not found.may(DEPLOY_PRODUCTION, "sagemaker:CreateEndpointConfig", config, context)


@pytest.mark.parametrize(
    ("configuration", "role", "stage"),
    [
        ("default", DEPLOY_STAGING, "staging"),
        ("default", DEPLOY_PRODUCTION, "production"),
        ("key-drift", DEPLOY_STAGING, "staging"),
    ],
)
def test_a_serverless_endpoint_is_no_larger_than_the_settings_say(
    roles: MakeRoles, configuration: str, role: str, stage: str
) -> None:
    found = roles(configuration)
    config = found.of_sagemaker(f"endpoint-config/{found.factory.prefix}-{stage}-v1-0a1b2c3d")
    size = json.loads(settings(found, stage))
    own = {
        "sagemaker:ServerlessMemorySize": [str(size["memory_mb"])],
        "sagemaker:ServerlessMaxConcurrency": [str(size["max_concurrency"])],
    }
    assert found.may(role, "sagemaker:CreateEndpointConfig", config, own)
    for key, value in (("ServerlessMemorySize", "6144"), ("ServerlessMaxConcurrency", "200")):
        larger = changed(own, f"sagemaker:{key}", value)
        assert not found.may(role, "sagemaker:CreateEndpointConfig", config, larger)
    for instances in (
        {"sagemaker:InstanceTypes": ["ml.m5.large"]},
        own | {"sagemaker:InstanceTypes": ["ml.m5.large"]},
    ):
        assert not found.may(role, "sagemaker:CreateEndpointConfig", config, instances)


@pytest.mark.parametrize("role", [JOBS, DRIFT_JOB, BATCH, ENDPOINT_STAGING, ENDPOINT_PRODUCTION])
def test_an_image_is_of_the_one_repository_that_the_role_may_pull(roles: MakeRoles, role: str) -> None:
    """No action that starts a job has the image as a condition: SageMaker pulls it with the job's role."""
    found = roles("key-drift")
    pulled = {each for statement in found.statements(role) for each in pulls(statement)}
    (repository,) = pulled
    assert repository.endswith(":repository/sagemaker-scikit-learn")
    account = repository.split(":")[4]
    for path in ("sagemaker-xgboost", "sagemaker-scikit-learn-x", "x/sagemaker-scikit-learn"):
        foreign = f"arn:aws:ecr:{REGION}:{account}:repository/{path}"
        assert not found.may(role, "ecr:BatchGetImage", foreign)
    assert not found.may(
        role, "ecr:BatchGetImage", f"arn:aws:ecr:{REGION}:666666666666:repository/sagemaker-scikit-learn"
    )


def pulls(statement: object) -> Iterator[str]:
    assert isinstance(statement, dict)
    if "ecr:BatchGetImage" in statement["Action"]:
        found = statement["Resource"]
        yield from [found] if isinstance(found, str) else found


def settings(found: Roles, stage: str) -> str:
    return environment(found.factory, f"{found.factory.prefix}-deploy-{stage}")["ENDPOINT_SETTINGS"]


@pytest.mark.parametrize("configuration", ["default", "key-drift"])
def test_the_factory_s_own_jobs_are_within_the_limits(roles: MakeRoles, configuration: str) -> None:
    """With the condition keys that the local AWS reads from the requests of the deployed definitions."""
    keys = pytest.importorskip("localaws.services.sagemaker.condition_keys")
    operation = pytest.importorskip("localaws.core.permission").Operation
    found, checked = roles(configuration), set()
    for id_, pipeline in found.factory.every("AWS::SageMaker::Pipeline").items():
        body = json.loads(pipeline["Properties"]["PipelineDefinition"]["PipelineDefinitionBody"])
        for step in all_steps(body).values():
            if step["Type"] not in REQUESTS:
                continue
            name, _ = REQUESTS[step["Type"]]
            action, role = f"sagemaker:{name}", DRIFT_PIPELINE if id_.startswith("Drift") else PIPELINE
            context = keys.condition_keys(REGION, operation("sagemaker", name, step["Arguments"], "json"))
            assert found.may(role, action, found.of_sagemaker(JOB_ARNS[action]), context), step["Name"]
            checked.add(step["Name"])
    assert {"Preprocess", "Tune", "Evaluate", "Register"} <= checked


@pytest.mark.parametrize("configuration", ["default", "key-drift"])
@pytest.mark.parametrize(("role", "stage"), [(DEPLOY_STAGING, "staging"), (DEPLOY_PRODUCTION, "production")])
def test_the_factory_s_own_endpoints_are_within_the_limits(
    roles: MakeRoles, configuration: str, role: str, stage: str
) -> None:
    keys = pytest.importorskip("localaws.services.sagemaker.condition_keys")
    operation = pytest.importorskip("localaws.core.permission").Operation
    found = roles(configuration)
    name = f"{found.factory.prefix}-{stage}-v1-0a1b2c3d"
    endpoint_settings = read_endpoint_settings(settings(found, stage))
    for action, kind, request in (
        ("CreateModel", "model", endpoint_settings.network()),
        ("CreateEndpointConfig", "endpoint-config", endpoint_settings.config(name, None)),
    ):
        context = keys.condition_keys(REGION, operation("sagemaker", action, request, "json"))
        assert found.may(role, f"sagemaker:{action}", found.of_sagemaker(f"{kind}/{name}"), context)
