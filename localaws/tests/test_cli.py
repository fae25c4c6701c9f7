"""The command line: up, env, status, logs, down."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def localaws(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "localaws", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def server_pid(state_dir: Path) -> int:
    status = localaws("status", "--state-dir", str(state_dir)).stdout
    return int(status.partition("pid ")[2].partition(",")[0])


def test_a_life(tmp_path: Path) -> None:
    state = tmp_path / "state"
    where, port = ("--state-dir", str(state)), str(free_port())
    try:
        up = localaws("up", "--port", port, *where)
        assert up.returncode == 0, up.stderr
        second = localaws("up", "--port", port, *where)
        assert second.returncode == 0
        assert second.stdout.startswith(f"Already running: http://localhost:{port}")
        exports = localaws("env", *where).stdout
        assert f"export AWS_ENDPOINT_URL=http://localhost:{port}" in exports
        assert "listening on" in localaws("logs", *where).stdout

        os.kill(server_pid(state), signal.SIGKILL)
        time.sleep(0.2)
        assert localaws("status", *where).returncode == 1
        again = localaws("up", "--port", port, *where)
        assert again.returncode == 0, again.stderr
        assert "the server it belonged to is gone" in again.stdout
    finally:
        down = localaws("down", *where)
    assert down.stdout.startswith("Stopped")
    assert not state.exists()
    assert localaws("down", *where).stdout == "Not running.\n"


def test_a_taken_port_gets_one_clear_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        up = localaws("up", "--port", str(port), "--state-dir", str(tmp_path / "state"))
    assert up.returncode == 1
    assert up.stderr.startswith(f"localaws: port {port} is used by another program")


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    up = localaws("up", "--port", str(free_port()), "--state-dir", str(tmp_path))
    assert up.returncode == 1
    assert "is no state folder" in up.stderr
    assert (tmp_path / "thesis.txt").exists()


def test_a_minute_takes_some_time(tmp_path: Path) -> None:
    refused = localaws("up", "--state-dir", str(tmp_path), "--minute-seconds", "0")
    assert refused.returncode == 2
    assert "--minute-seconds: invalid positive_seconds value: '0'" in refused.stderr
