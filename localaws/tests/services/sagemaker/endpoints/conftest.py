"""What endpoints do around a container is tested with one that starts soon; test_image.py has the real one."""

from collections.abc import Iterator

import pytest

from tests.services.sagemaker.conftest import Local


@pytest.fixture(scope="session")
def local(small_local: Local) -> Local:
    return small_local


@pytest.fixture(autouse=True)
def _no_endpoint_left(local: Local) -> Iterator[None]:
    """Delete what a failed test left, which would count against the quotas of the next."""
    yield
    sagemaker = local.client()
    for endpoint in sagemaker.list_endpoints()["Endpoints"]:
        sagemaker.delete_endpoint(EndpointName=endpoint["EndpointName"])
