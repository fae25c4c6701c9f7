"""A release against a real registry and the real request code; AWS around them only remembers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest

from ml_code.release import release
from ml_code.release.rollout import ReleaseError
from ml_code.release.settings import ReleaseSettings
from ml_code.spec import ModelSpec
from ml_code.tracking.model_registry import RegistryError
from ml_code.verification.settings import read_settings
from ml_code.write_once import sha256
from tests.ml_code.release.fake_sagemaker import error
from tests.ml_code.release.world import APPROVER, PERSON, QUALITY, World


@pytest.fixture
def world(empty_registry: Path, tmp_path: Path, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> World:
    shutil.copy(empty_registry, tmp_path)
    return World(tmp_path, spec, monkeypatch)


def test_a_verified_version_replaces_the_old_one_and_history_says_who_approved(world: World) -> None:
    for version in (world.register(), world.register()):
        world.deliver(version)
        assert (world.served(), world.in_production()) == (version, version)
    first, second = world.records.read()
    assert (second.version, second.previous) == ("2", first.version)
    assert (second.reason, second.approved_by, second.delivery) == ("delivery", APPROVER, "e1")
    assert sha256(world.aws.objects[second.archive_uri]) == second.archive_sha256
    assert second.archive_uri.startswith("s3://artifacts/serving/production/digits/2/")


def test_by_hand_the_caller_is_who_approved(world: World) -> None:
    world.release_by_hand(world.register())
    (record,) = world.records.read()
    assert (record.reason, record.approved_by, record.delivery) == ("by hand", PERSON, "")


def test_staging_moves_no_alias(world: World) -> None:
    world.deliver(world.register(), STAGE="staging", ENDPOINT_NAME="factory-staging")
    assert world.served() == "1"
    assert world.in_production() is None
    assert world.records.read() == []


def test_a_version_below_the_gate_is_taken_back(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.deliver(world.register())
    with pytest.raises(ReleaseError, match=r"version 2 is not released.*accuracy 0\.1000.*v1-\w+ again"):
        world.deliver(world.register(good=False))
    assert (world.served(), world.in_production()) == ("1", "1")
    assert [record.version for record in world.records.read()] == ["1"]
    assert "putting back" in capsys.readouterr().out


def test_a_first_version_below_the_gate_leaves_no_endpoint(world: World) -> None:
    with pytest.raises(ReleaseError, match=r"factory-production is removed again"):
        world.deliver(world.register(good=False))
    assert world.aws.sagemaker.names == ([], [], {})
    assert world.in_production() is None


def test_a_first_serverless_endpoint_that_fails_names_the_setting_that_helps(
    world: World,
) -> None:
    world.deliver(world.register())
    world.aws.sagemaker.failure = "did not pass the ping health check"
    with pytest.raises(ReleaseError) as later:
        world.deliver(world.register())
    assert "realtime" not in str(later.value)
    with pytest.raises(ReleaseError, match=r"staging.type realtime.*ml\.t2\.medium, in cdk\.json"):
        world.deliver("2", STAGE="staging", ENDPOINT_NAME="factory-staging")


def test_an_alias_that_cannot_move_takes_the_version_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.deliver(world.register())

    def refuse(*_: str) -> None:
        raise RuntimeError("the registry is away")

    monkeypatch.setattr(mlflow.MlflowClient, "set_registered_model_alias", refuse)
    with pytest.raises(ReleaseError, match=r"the registry is away; .* again"):
        world.deliver(world.register())
    assert (world.served(), world.in_production()) == ("1", "1")


def test_what_cannot_be_put_back_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.deliver(world.register())
    update = world.aws.sagemaker.update_endpoint

    def only_forward(**request: Any) -> None:
        if "-v1-" in request["EndpointConfigName"]:
            raise error("UpdateEndpoint", "no capacity")
        update(**request)

    monkeypatch.setattr(world.aws.sagemaker, "update_endpoint", only_forward)
    with pytest.raises(ReleaseError, match=r"below the gate.*Restoring .* failed.*no capacity.*console"):
        world.deliver(world.register(good=False))
    assert len(world.aws.sagemaker.models) == 2


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda world: shutil.rmtree(next(world.folder.glob("model-*"))),
            r"version 1 cannot be read.*release",
        ),
        (lambda world: shutil.rmtree(world.folder / "runs"), r"no artifact test\.csv"),
        (lambda world: world.client.delete_model_version("digits", "1"), r"not in the registry.*none"),
    ],
)
def test_a_version_whose_files_are_gone_touches_no_endpoint(
    world: World, spoil: Callable[[World], None], said: str
) -> None:
    world.register()
    spoil(world)
    with pytest.raises(RegistryError, match=said):
        world.release_by_hand("1")
    assert world.aws.sagemaker.names == ([], [], {})


def test_an_unknown_alias_says_what_there_is(world: World) -> None:
    world.register()
    settings = read_settings(ReleaseSettings, world.environment)
    with pytest.raises(RegistryError, match=r"@nowhere is not in the registry: digits has versions \[1\]"):
        release.release_by_hand("models:/digits@nowhere", settings)


def test_an_endpoint_that_somebody_deleted_is_made_again(world: World) -> None:
    world.deliver(world.register())
    sagemaker = world.aws.sagemaker
    sagemaker.delete_endpoint("factory-production")
    world.deliver(world.register())
    assert sagemaker.tags["model-version"] == "2"
    assert list(sagemaker.endpoints) == ["factory-production"]


def test_an_endpoint_of_the_other_mode_is_left_alone(world: World) -> None:
    world.deliver(world.register())
    for config in world.aws.sagemaker.configs.values():
        config["ProductionVariants"][0].pop("ServerlessConfig")
    with pytest.raises(
        ReleaseError, match=r"is realtime.*delete-endpoint --endpoint-name factory-production"
    ):
        world.deliver(world.register())
    assert world.served() == "1"


REALTIME = {
    "mode": "realtime",
    "instance_type": "ml.m5.large",
    "instance_count": 2,
    "max_instance_count": 4,
    "invocations_per_instance": 500,
    "scale_in_cooldown_seconds": 300,
    "scale_out_cooldown_seconds": 60,
    "data_capture_percent": 20,
    "data_capture_uri": "s3://artifacts/captured",
    "rollout": "canary",
    "rollout_step_percent": 10,
    "rollout_bake_seconds": 300,
    "alarms": [QUALITY],
    "kms_key": "",
    "subnets": ["subnet-1"],
    "security_groups": ["sg-1"],
}


@pytest.fixture
def realtime(world: World) -> World:
    world.environment["ENDPOINT_SETTINGS"] = json.dumps(REALTIME)
    return world


def test_a_realtime_update_is_guarded_and_scaling_stops_around_it(realtime: World) -> None:
    aws = realtime.aws
    realtime.deliver(realtime.register())
    assert aws.scaling == [(2, 4), 500.0]
    aws.sagemaker.endpoints["factory-production"]["ProductionVariants"] = [{"CurrentInstanceCount": 3}]
    realtime.deliver(realtime.register())
    assert aws.scaling[2:] == ["deregister", (2, 4), 500.0]
    (policy,) = aws.sagemaker.policies
    assert policy["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": QUALITY}]}
    assert policy["BlueGreenUpdatePolicy"] == {
        "TrafficRoutingConfiguration": {
            "Type": "CANARY",
            "WaitIntervalInSeconds": 300,
            "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
        },
        "TerminationWaitInSeconds": 300,
        "MaximumExecutionTimeoutInSeconds": 2400,
    }
    (config,) = aws.sagemaker.configs.values()
    (variant,) = config["ProductionVariants"]
    assert (variant["VariantName"], variant["InitialInstanceCount"]) == ("AllTraffic", 3)
    assert config["DataCaptureConfig"]["DestinationS3Uri"] == "s3://artifacts/captured"
    (model,) = aws.sagemaker.models.values()
    assert model["VpcConfig"] == {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert model["EnableNetworkIsolation"] is True
    assert aws.metrics, "the alarm on quality got nothing"
    assert set(aws.metrics) == {0.0}
    assert (realtime.served(), realtime.in_production()) == ("2", "2")


def test_a_version_that_predicts_badly_sets_off_the_alarm_while_it_bakes(realtime: World) -> None:
    realtime.deliver(realtime.register())
    realtime.aws.sagemaker.looks = 20
    with pytest.raises(ReleaseError, match=rf"An alarm raised_alarms.*alarm {QUALITY} went off"):
        realtime.deliver(realtime.register(good=False))
    assert realtime.aws.metrics[-1] > 0
    assert realtime.aws.scaling[2:] == ["deregister", (2, 4), 500.0]
    assert (realtime.served(), realtime.in_production()) == ("1", "1")


def test_putting_back_waits_for_no_alarm(realtime: World) -> None:
    """A version that no alarm stopped, and the verification does."""
    realtime.deliver(realtime.register())
    realtime.environment["ENDPOINT_SETTINGS"] = json.dumps({**REALTIME, "rollout": "linear"})
    realtime.aws.sagemaker.has_tripped = lambda: False
    with pytest.raises(ReleaseError, match="below the gate"):
        realtime.deliver(realtime.register(good=False))
    forward, back = realtime.aws.sagemaker.policies
    assert forward["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "LINEAR"
    assert back["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "ALL_AT_ONCE"
    assert "AutoRollbackConfiguration" not in back
    assert realtime.served() == "1"


def test_an_update_that_nobody_could_watch_is_taken_back(
    realtime: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    realtime.deliver(realtime.register())

    def refuse(**_: Any) -> None:
        raise error("PutMetricData", "not authorized")

    monkeypatch.setattr(realtime.aws, "put_metric_data", refuse)
    with pytest.raises(ReleaseError, match=r"could not be watched.*not authorized.*v1-\w+ again"):
        realtime.deliver(realtime.register())
    assert (realtime.served(), realtime.in_production()) == ("1", "1")
