"""A running server, as the command line sees it: its address, its credentials, its pages."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localaws.runtime.environments import outside_proxy
from localaws.services.codecommit.git_credential import git_configuration


class UserError(Exception):
    """A mistake that the person at the terminal can put right."""


@dataclass(frozen=True)
class Server:
    """A running server as it described itself in its state folder."""

    pid: int
    port: int
    region: str
    access_key_id: str
    secret_access_key: str

    @property
    def endpoint_url(self) -> str:
        return f"http://localhost:{self.port}"

    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
            "SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT": f"{self.endpoint_url}/mlflow",
            **outside_proxy(os.environ),
            **git_configuration(self.endpoint_url, os.environ),
        }

    def report(self) -> dict[str, Any]:
        """A report of the running processes and stacks."""
        return self._request("status", None)

    def ask(self, page: str, request: dict[str, Any]) -> dict[str, Any]:
        """Ask the server for something that only its administrator may do."""
        return self._request(page, json.dumps({**request, "secret": self.secret_access_key}).encode())

    def _request(self, page: str, body: bytes | None) -> dict[str, Any]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self.endpoint_url}/_localaws/{page}", body, timeout=10) as answer:
                found: dict[str, Any] = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            raise UserError(json.load(error)["message"]) from error
        except OSError as error:
            raise UserError(f"the server at {self.endpoint_url} does not answer: {error}") from error


def find_server(state_dir: Path) -> Server | None:
    path = state_dir / "server.json"
    if not path.exists():
        return None
    server = Server(**json.loads(path.read_text()))
    return server if alive(server.pid) else None


def alive(pid: int) -> bool:
    """Whether this very server runs: a process id may have been given to another program since."""
    command = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        return command.exists() and b"localaws.server" in command.read_bytes()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
