"""The server process of the local AWS: `python -m localaws.server`, started by the command line."""

import argparse
import gc
import json
import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Read by moto while it is imported.
os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"

from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import make_server

from localaws.core.account import Account
from localaws.core.clock import REAL, Clock
from localaws.core.identity import ACCOUNT_ID, Credentials
from localaws.gateway.gateway import Gateway
from localaws.registry import install
from localaws.runtime.image_environment import ImageEnvironment
from localaws.runtime.processes import ProcessTable

LOG = logging.getLogger("localaws")
HOST = "127.0.0.1"
ADMINISTRATOR = "administrator"


class RequestHandler(MotoRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Silent: the gateway logs what a request meant."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--minute-seconds", type=float, required=True)
    parser.add_argument("--no-image", action="store_true")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("localaws").setLevel(logging.DEBUG)
    clock = Clock(arguments.minute_seconds)
    uses_image = not arguments.no_image
    serve(arguments.state_dir.resolve(), arguments.port, arguments.region, clock, uses_image=uses_image)


def serve(state_dir: Path, port: int, region: str, clock: Clock, *, uses_image: bool) -> None:
    """Answer requests until SIGTERM or SIGINT; then end everything that it started."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with running(state_dir, port, region, clock, uses_image=uses_image) as account:
        gc.freeze()  # what was imported stays: looking for garbage among it takes a tenth of the time
        _write_state(account)
        LOG.info("listening on %s", account.endpoint_url)
        stop.wait()
    LOG.info("stopped")


@contextmanager
def running(
    state_dir: Path,
    port: int = 0,
    region: str = "us-east-1",
    clock: Clock = REAL,
    user: str = ADMINISTRATOR,
    *,
    uses_image: bool = True,
) -> Iterator[Account]:
    """A local AWS in this process, on a free port unless one is given.

    Jobs and endpoints run in the packages of SageMaker's image if `uses_image`, else in those of this machine.
    moto keeps its users per process: a second local AWS beside the first needs another `user`.
    """
    processes = ProcessTable()
    image = ImageEnvironment(processes) if uses_image else None
    account = Account(
        state_dir=state_dir,
        port=port,
        region=region,
        administrator=create_administrator(user),
        processes=processes,
        image=image,
        clock=clock,
    )
    gateway = Gateway(account)
    server = make_server(HOST, port, gateway, threaded=True, request_handler=RequestHandler)
    account.port = server.server_port
    os.environ["MOTO_PORT"] = str(account.port)
    install(account, gateway)
    listener = threading.Thread(target=server.serve_forever, name="listener", daemon=True)
    listener.start()
    if image is not None:
        image.prepare()
    try:
        yield account
    finally:
        server.shutdown()
        if image is not None:
            image.close()
        for service in account.services.values():
            service.close()
        account.processes.close()


def create_administrator(name: str) -> Credentials:
    iam = iam_backends[ACCOUNT_ID]["aws"]
    iam.create_user("us-east-1", name)
    iam.attach_user_policy("arn:aws:iam::aws:policy/AdministratorAccess", name)
    key = iam.create_access_key(name)
    return Credentials(key.access_key_id, key.secret_access_key)


def _write_state(account: Account) -> None:
    """The sign for the command line that the server is ready."""
    state = {
        "pid": os.getpid(),
        "port": account.port,
        "region": account.region,
        "access_key_id": account.administrator.access_key_id,
        "secret_access_key": account.administrator.secret_access_key,
    }
    path = account.state_dir / "server.json"
    draft = path.with_suffix(".tmp")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(state))
    draft.rename(path)


if __name__ == "__main__":
    main()
