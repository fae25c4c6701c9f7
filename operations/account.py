"""The account and the region that the shell points to: one of each, for boto3 and the CDK command alike.

Run by itself it prints them, or refuses: `make destroy` does before it deletes anything.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
)

from operations.errors import LOCAL_HINT, OperationError, run

# The CDK command (2.1148) reads the first that is set, boto3 AWS_DEFAULT_REGION only.
REGION_VARIABLES = ("AWS_REGION", "AMAZON_REGION", "AWS_DEFAULT_REGION", "AMAZON_DEFAULT_REGION")
# The CDK command reads the first that is set, botocore the second before the first.
PROFILE_VARIABLES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
# This call fails after seconds in a shell that points to nothing; other calls retry for minutes.
_SECONDS = Config(retries={"mode": "standard", "total_max_attempts": 5})
SIGN_IN = "Sign in again (aws sso login, or new keys)."


@dataclass(frozen=True, kw_only=True)
class Account:
    id: str
    region: str
    partition: str
    caller_arn: str

    def __str__(self) -> str:
        return f"Account {self.id}, region {self.region}, as {self.caller_arn.rpartition(':')[2]}"


def region_in_use(environment: Mapping[str, str] = os.environ) -> str:
    """Return the region; OperationError if there is none, or if boto3 and the CDK command would use different ones."""
    _one_of(PROFILE_VARIABLES, environment, "profile")
    if region := _one_of(REGION_VARIABLES, environment, "region"):
        return region
    try:
        session = boto3.Session()
    except ProfileNotFound as error:
        raise OperationError(f"{error}: set AWS_PROFILE to one of `aws configure list-profiles`.") from None
    if session.region_name is None:
        raise OperationError(
            "No region is set: export AWS_REGION, or give the profile one with `aws configure set region`. "
            f"{LOCAL_HINT}"
        )
    return str(session.region_name)


def _one_of(variables: tuple[str, ...], environment: Mapping[str, str], what: str) -> str | None:
    found = {name: environment[name] for name in variables if environment.get(name)}
    if len(set(found.values())) > 1:
        values = " and ".join(f"{name} is {value!r}" for name, value in found.items())
        raise OperationError(
            f"{values}: the CDK command reads {PROFILE_VARIABLES[0] if what == 'profile' else REGION_VARIABLES[0]} "
            f"first, boto3 does not; set both to one {what}, or unset one."
        )
    return next(iter(found.values()), None)


def account_in_use() -> Account:
    """Ask AWS who the caller is. All that this process starts afterwards has the same region."""
    region = region_in_use()
    os.environ.update(AWS_REGION=region, AWS_DEFAULT_REGION=region)
    boto3.setup_default_session()
    try:
        caller = boto3.client("sts", config=_SECONDS).get_caller_identity()
    except NoCredentialsError as error:
        raise OperationError(f"{error}: export keys, or set AWS_PROFILE. {LOCAL_HINT}") from None
    except EndpointConnectionError as error:
        raise OperationError(f"{error} {LOCAL_HINT}") from None
    except ClientError as error:
        raise OperationError(f"AWS does not say whose the credentials are: {error} {SIGN_IN}") from None
    except BotoCoreError as error:
        raise OperationError(f"No credentials for AWS: {error} {SIGN_IN}") from None
    return Account(
        id=caller["Account"],
        region=region,
        partition=caller["Arn"].split(":")[1],
        caller_arn=caller["Arn"],
    )


def say_account() -> Account:
    """Print the line on stderr: what a command answers on stdout stays readable by programs."""
    account = account_in_use()
    print(account, file=sys.stderr, flush=True)
    return account


def main() -> None:
    say_account()


if __name__ == "__main__":
    run(main)
