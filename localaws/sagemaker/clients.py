"""boto3 clients by the dozen: every job and step makes some with credentials of its own.

A client costs a tenth of a second or more when it reads its service's model from disk, so all share one loader.
"""

from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import create_loader

if TYPE_CHECKING:
    from localaws.account import Account, Credentials

_LOADER = create_loader()


def client(account: "Account", service: str, credentials: "Credentials") -> Any:
    """As Account.client, quicker."""
    core = botocore.session.Session()
    core.register_component("data_loader", _LOADER)
    session = boto3.Session(
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        region_name=account.region,
        botocore_session=core,
    )
    return session.client(
        service, endpoint_url=account.endpoint_url, config=Config(retries={"max_attempts": 1})
    )
