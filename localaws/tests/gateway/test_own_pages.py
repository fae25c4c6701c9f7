"""Pages that are no AWS API: a browser that was led here by another name gets none of them."""

import re
from pathlib import Path

import pytest
import urllib3

import localaws
from localaws.core.account import Account

PAGES = ("health", "status", "faults", "connect", "cloudformation-response/")


def test_all_pages_are_tried() -> None:
    (folder,) = localaws.__path__
    source = "".join(path.read_text() for path in Path(folder).rglob("*.py"))
    assert set(re.findall(r'"/_localaws/(.+?)"', source)) == set(PAGES)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "host",
    ["pages.example.com:{}", "localhost.example.com:{}", "user@localhost:{}", "localhost:1", "localhost"],
)
def test_other_names_are_refused(local_aws: Account, page: str, host: str) -> None:
    url = f"{local_aws.endpoint_url}/_localaws/{page}"
    answer = urllib3.request("GET", url, headers={"Host": host.format(local_aws.port)})
    assert answer.status == 403
    assert f"localhost:{local_aws.port}".encode() in answer.data


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_the_names_of_this_machine_are_answered(local_aws: Account, host: str) -> None:
    url = f"{local_aws.endpoint_url}/_localaws/status"
    assert urllib3.request("GET", url, headers={"Host": f"{host}:{local_aws.port}"}).status == 200
