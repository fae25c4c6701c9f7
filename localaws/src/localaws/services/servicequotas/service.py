"""Service Quotas of SageMaker, as far as they are known; an increase is granted at once."""

from typing import Any, cast

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.listing import now
from localaws.services.sagemaker.quotas import QUOTAS, Quota
from localaws.services.sagemaker.service import SageMaker

CODE = "sagemaker"


def _get(account: Account, request: Json) -> Json:
    quota = _find(request)
    return {"Quota": _described(account, quota, _sagemaker(account).shared.quotas.applied(quota.name))}


def _get_default(account: Account, request: Json) -> Json:
    quota = _find(request)
    return {"Quota": _described(account, quota, quota.default)}


def _list(account: Account, request: Json) -> Json:
    _check_service(request)
    applied = _sagemaker(account).shared.quotas.applied
    return {"Quotas": [_described(account, quota, applied(quota.name)) for quota in QUOTAS]}


def _list_defaults(account: Account, request: Json) -> Json:
    _check_service(request)
    return {"Quotas": [_described(account, quota, quota.default) for quota in QUOTAS]}


def _request_increase(account: Account, request: Json) -> Json:
    quota, value = _find(request), request["DesiredValue"]
    quotas = _sagemaker(account).shared.quotas
    if value <= quotas.applied(quota.name):
        raise ServiceError(
            "IllegalArgumentException",
            f"You must provide a quota value greater than the current quota value of {quotas.applied(quota.name)}.",
        )
    quotas.set_applied(quota.name, int(value))
    return {
        "RequestedQuota": {
            **{key: request[key] for key in ("ServiceCode", "QuotaCode", "DesiredValue")},
            "Id": f"granted-{quota.code}",
            "QuotaName": quota.name,
            "Status": "APPROVED",
            "Created": now(),
        }
    }


def _sagemaker(account: Account) -> SageMaker:
    return cast(SageMaker, account.services[CODE])


def _check_service(request: Json) -> None:
    if request["ServiceCode"] != CODE:
        raise ServiceError(
            "NoSuchResourceException",
            f"The local AWS has quotas of the service {CODE!r} only; got {request['ServiceCode']!r}.",
        )


def _find(request: Json) -> Quota:
    _check_service(request)
    for quota in QUOTAS:
        if quota.code == request["QuotaCode"]:
            return quota
    raise ServiceError(
        "NoSuchResourceException",
        f"The local AWS knows no quota {request['QuotaCode']!r} of SageMaker; it has "
        f"{', '.join(f'{quota.code} ({quota.name})' for quota in QUOTAS)}.",
    )


def _described(account: Account, quota: Quota, value: int) -> dict[str, Any]:
    return {
        "ServiceCode": CODE,
        "ServiceName": "Amazon SageMaker",
        "QuotaArn": account.arn("servicequotas", f"{CODE}/{quota.code}"),
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


OPERATIONS = {
    "GetServiceQuota": _get,
    "GetAWSDefaultServiceQuota": _get_default,
    "ListServiceQuotas": _list,
    "ListAWSDefaultServiceQuotas": _list_defaults,
    "RequestServiceQuotaIncrease": _request_increase,
}
