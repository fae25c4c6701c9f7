"""A local AWS with the delivery services, in this process, behind its real gateway."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.iam.models import iam_backends
from werkzeug.serving import make_server

from localaws.core.account import ACCOUNT_ID, Account, Credentials
from localaws.gateway.gateway import Gateway
from localaws.runtime.processes import ProcessTable
from localaws.server import RequestHandler
from localaws.services.codebuild.service import CodeBuild
from localaws.services.codecommit.git_http import GitApplication
from localaws.services.codecommit.service import CodeCommit
from localaws.services.codeconnections.service import CodeConnections
from localaws.services.codepipeline.service import CodePipeline
from localaws.services.events import service as events

Json = dict[str, Any]
ARTIFACT_BUCKET = "delivery-artifacts"


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    account = Account(
        state_dir=tmp_path_factory.mktemp("state"),
        port=0,
        region="us-east-1",
        administrator=_administrator(),
        processes=ProcessTable(),
    )
    gateway = Gateway(account)
    gateway.routes["/v1/repos/"] = GitApplication(account)
    server = make_server("127.0.0.1", 0, gateway, threaded=True, request_handler=RequestHandler)
    account.port = server.server_port
    account.services.update(
        codecommit=CodeCommit(account),
        codebuild=CodeBuild(account),
        codepipeline=CodePipeline(account),
        codeconnections=CodeConnections(account),
    )
    events.listen(account)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    account.client("s3").create_bucket(Bucket=ARTIFACT_BUCKET)
    yield account
    for service in account.services.values():
        service.close()
    server.shutdown()
    account.processes.close()


def _administrator() -> Credentials:
    iam = iam_backends[ACCOUNT_ID]["aws"]
    name = "delivery-administrator"
    iam.create_user("us-east-1", name)
    iam.attach_user_policy("arn:aws:iam::aws:policy/AdministratorAccess", name)
    key = iam.create_access_key(name)
    return Credentials(key.access_key_id, key.secret_access_key)


@pytest.fixture
def make_role(account: Account) -> Iterator[Callable[..., str]]:
    """make_role("codebuild.amazonaws.com", "s3:*", …): the ARN of a role that may do these actions, on all."""
    iam = account.client("iam")
    names: list[str] = []

    def make(principal: str, *actions: str) -> str:
        name = f"delivery-role-{len(names)}-{time.monotonic_ns()}"
        trust = {"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"}
        arn = iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        )["Role"]["Arn"]
        names.append(name)
        allow(account, name, *actions)
        return str(arn)

    yield make
    for name in names:
        iam.delete_role_policy(RoleName=name, PolicyName="actions")
        iam.delete_role(RoleName=name)


def allow(account: Account, role_name: str, *actions: str) -> None:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    account.client("iam").put_role_policy(RoleName=role_name, PolicyName="actions", PolicyDocument=document)


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """eventually(function): its first true result; fails after ten seconds."""

    def wait(function: Callable[[], Any], seconds: float = 10.0) -> Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            result = function()
            if result:
                return result
            time.sleep(0.05)
        raise AssertionError("it did not happen in time")

    return wait


@pytest.fixture
def write_files(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "files"

    return write
