"""The server that runs in the background, found by what it wrote into its state folder."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from localaws.services.codecommit.git_credential import git_configuration


class UserError(Exception):
    """Something that the person at the terminal can put right."""


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
            **git_configuration(self.endpoint_url, os.environ),
        }


def find_server(state_dir: Path) -> Server | None:
    path = state_dir / "server.json"
    if not path.exists():
        return None
    server = Server(**json.loads(path.read_text()))
    return server if is_alive(server.pid) else None


def require_server(state_dir: Path) -> Server:
    server = find_server(state_dir)
    if server is None:
        raise UserError(f"not running (no server in {state_dir}); start it: python -m localaws up.")
    return server


def is_alive(pid: int) -> bool:
    """Whether this very server runs: a process id may have been given to another program since."""
    command = Path(f"/proc/{pid}/cmdline")
    if Path("/proc/self").exists():
        return command.exists() and b"localaws.server" in command.read_bytes()
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
