"""Addresses of consoles, in every partition that has a public one."""

from pathlib import Path

import pytest

from ml_code.contracts import console_url

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("eu-central-1", "https://eu-central-1.console.aws.amazon.com"),
        ("cn-northwest-1", "https://cn-northwest-1.console.amazonaws.cn"),
        ("us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com"),
        ("eusc-de-east-1", "https://eusc-de-east-1.console.amazonaws-eusc.eu"),
    ],
)
def test_each_partition_has_a_console_of_its_own(region: str, url: str) -> None:
    assert console_url(region) == url


def test_no_other_module_knows_a_console_s_domain() -> None:
    files = [path for room in ("stacks", "ml_code", "operations") for path in (PROJECT / room).rglob("*.py")]
    found = [
        path.name
        for path in files
        if "console.aws" in path.read_text() or "console.amazonaws" in path.read_text()
    ]
    assert found == ["contracts.py"]
