"""SageMaker's quotas against what the settings start: `make quotas`, and `make quotas YES=1` to ask for what is missing."""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from rich.console import Console

from operations import assembly
from operations.account import say_account
from operations.errors import OperationError, run
from operations.table import Row, print_table

if TYPE_CHECKING:
    from types_boto3_service_quotas import ServiceQuotasClient

SERVICE = "sagemaker"
# Listing SageMaker's thousands of quotas takes half a minute: these are known without.
CODES: Mapping[str, str] = {
    "Maximum total concurrency that can be allocated across all serverless endpoints": "L-96300102",
    "ml.m5.large for endpoint usage": "L-614B09FD",
    "ml.m5.large for processing job usage": "L-8541302D",
    "ml.m5.large for spot training job usage": "L-29688C85",
    "ml.m5.large for training job usage": "L-611FA074",
    "ml.m5.large for transform job usage": "L-236AE59F",
    "ml.t3.large for processing job usage": "L-C076FA77",
    "ml.t3.medium for processing job usage": "L-0CE343FE",
}


@dataclass(frozen=True)
class Quota:
    name: str
    code: str
    """The quota's code; empty when the region has no such quota."""
    value: int
    needed: int

    @property
    def is_enough(self) -> bool:
        return self.value >= self.needed

    def __str__(self) -> str:
        if not self.code:
            return f"{self.name}: {self.needed} needed, the region has no such quota"
        return f"{self.name}: {self.value}, {self.needed} needed"


def compare(needs: Mapping[str, int]) -> list[Quota]:
    """The account's quotas in this region beside the needs, by name."""
    client = boto3.client("service-quotas")
    codes = dict(CODES) if needs.keys() <= CODES.keys() else _listed_codes(client)
    return [
        Quota(name, codes.get(name, ""), _value(client, codes[name]) if name in codes else 0, needed)
        for name, needed in sorted(needs.items())
    ]


def _listed_codes(client: "ServiceQuotasClient") -> dict[str, str]:
    """The codes of all quotas by name, from the defaults: the list of applied values lacks those never changed."""
    pages = client.get_paginator("list_aws_default_service_quotas").paginate(ServiceCode=SERVICE)
    return {quota["QuotaName"]: quota["QuotaCode"] for page in pages for quota in page["Quotas"]}


def _value(client: "ServiceQuotasClient", code: str) -> int:
    try:
        quota = client.get_service_quota(ServiceCode=SERVICE, QuotaCode=code)["Quota"]
    except client.exceptions.NoSuchResourceException:  # no value was ever applied
        quota = client.get_aws_default_service_quota(ServiceCode=SERVICE, QuotaCode=code)["Quota"]
    return int(quota["Value"])


def request(quotas: list[Quota]) -> Iterator[str]:
    """Ask for each, and say what AWS answers."""
    client = boto3.client("service-quotas")
    for quota in quotas:
        try:
            answer = client.request_service_quota_increase(
                ServiceCode=SERVICE, QuotaCode=quota.code, DesiredValue=quota.needed
            )
        except client.exceptions.ResourceAlreadyExistsException:
            yield f"{quota.name}: a request is open already"
        else:
            yield f"{quota.name}: {quota.needed} asked for, {answer['RequestedQuota']['Status']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--request", action="store_true", help="ask AWS for what is missing")
    arguments = parser.parse_args()
    say_account()
    quotas = compare(assembly.synthesise().quota_needs)
    missing = [quota for quota in quotas if not quota.is_enough]
    print_table(Console(), "SageMaker quotas", ("quota", "code", "value", "needed"), map(_row, quotas))
    if absent := [quota.name for quota in missing if not quota.code]:
        raise OperationError(
            f"This region has no quota {', '.join(map(repr, absent))}: choose an instance type that it offers."
        )
    if not missing:
        print("Nothing is missing.")
    elif arguments.request:
        for line in request(missing):
            print(line)
    else:
        print(f"make quotas YES=1 asks AWS for {len(missing)}: {'; '.join(map(str, missing))}.")


def _row(quota: Quota) -> Row:
    return quota.name, quota.code or "-", str(quota.value), str(quota.needed)


if __name__ == "__main__":
    run(main)
