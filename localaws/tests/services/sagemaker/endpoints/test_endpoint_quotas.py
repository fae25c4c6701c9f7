"""The quotas of endpoints: instances of both fleets, and the concurrency of all serverless ones."""

from collections.abc import Callable
from typing import Any

from tests.services.sagemaker.endpoints.serving import configuration, create_config, deploy, settle
from tests.services.sagemaker.test_quotas import WORDS, refusal


def test_an_update_runs_both_fleets(
    new_account: Any, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    quotas = new_account.sagemaker.shared.quotas
    first, second = (configuration(new_account, word, serverless=False) for word in ("one", "two"))
    sagemaker = new_account.client()
    assert "'ml.m5.large for endpoint usage' is 0" in refusal(
        sagemaker.create_endpoint, EndpointName="over-quota", EndpointConfigName=first
    )
    quotas.set_applied("ml.m5.large for endpoint usage", 2)
    name = deploy(new_account, wait_until, first)
    assert refusal(sagemaker.update_endpoint, EndpointName=name, EndpointConfigName=second) == WORDS.format(
        name="ml.m5.large for endpoint usage", limit=2, used=2, delta=2
    )
    quotas.set_applied("ml.m5.large for endpoint usage", 4)
    sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second)
    assert settle(new_account, wait_until, name)["EndpointStatus"] == "InService"
    sagemaker.delete_endpoint(EndpointName=name)


def test_serverless_endpoints_share_a_total_concurrency(
    new_account: Any, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    config = configuration(new_account, "small")
    names = [deploy(new_account, wait_until, config) for _ in range(2)]
    sagemaker = new_account.client()
    limit = "is 10, with current utilization of 10 and a request delta of 5."
    assert limit in refusal(sagemaker.create_endpoint, EndpointName="third", EndpointConfigName=config)
    create_config(new_account, f"{config}-again", config)
    sagemaker.update_endpoint(EndpointName=names[0], EndpointConfigName=f"{config}-again")
    assert settle(new_account, wait_until, names[0])["EndpointStatus"] == "InService"
    for name in names:
        sagemaker.delete_endpoint(EndpointName=name)
