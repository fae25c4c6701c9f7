"""A local AWS in this process, with the services that it has in the server."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from localaws.account import Account
from localaws.gateway import Gateway
from localaws.processes import ProcessTable
from localaws.server import RequestHandler, create_administrator
from localaws.services import install


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    state_dir: Path = tmp_path_factory.mktemp("localaws")
    port = free_port()
    account = Account(
        state_dir=state_dir,
        port=port,
        region="us-east-1",
        # moto's users are of this process, which may have another such account.
        administrator=create_administrator(f"core-administrator-{port}"),
        processes=ProcessTable(),
    )
    gateway = Gateway(account)
    server = make_server("127.0.0.1", port, gateway, threaded=True, request_handler=RequestHandler)
    install(account, gateway)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield account
    server.shutdown()
    for service in account.services.values():
        service.close()
    account.processes.close()
