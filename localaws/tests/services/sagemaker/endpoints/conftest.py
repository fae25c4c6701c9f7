"""What endpoints do around a container is tested with one that starts soon; test_image.py has the real one."""

import pytest

from tests.services.sagemaker.conftest import Local


@pytest.fixture(scope="session")
def local(small_local: Local) -> Local:
    return small_local
