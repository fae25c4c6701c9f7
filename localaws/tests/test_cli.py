"""The command line: up, env, status, logs, down."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


# Where nothing listens.
DEAD_PROXY = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")


def localaws(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "localaws", *arguments, **variables)


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False, env=environment
    )


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
        assert state.stat().st_mode & 0o777 == 0o700
        second = localaws("up", "--port", port, *where)
        assert second.returncode == 0
        assert second.stdout.startswith(f"Already running: http://localhost:{port}")
        exports = localaws("env", *where).stdout
        assert f"export AWS_ENDPOINT_URL=http://localhost:{port}" in exports
        assert "listening on" in localaws("logs", *where).stdout

        os.kill(server_pid(state), signal.SIGKILL)
        while localaws("status", *where).returncode == 0:
            time.sleep(0.05)
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


@pytest.mark.slow
def test_behind_a_proxy_that_answers_nothing(tmp_path: Path) -> None:
    where = ("--state-dir", str(tmp_path / "state"))
    try:
        up = localaws("up", "--no-image", "--port", str(free_port()), *where, **DEAD_PROXY)
        assert up.returncode == 0, up.stderr
        status = localaws("status", *where, **DEAD_PROXY)
        assert (status.returncode, status.stderr) == (0, "")
        exports = localaws("env", *where, **DEAD_PROXY, no_proxy="intranet").stdout
        assert "export NO_PROXY=intranet,localhost,127.0.0.1\n" in exports
        assert "proxy" not in localaws("env", *where).stdout.lower()
        # The server's own calls go around the proxy, too: it makes this stack's resource itself.
        template = (
            """{"Resources": {"Log": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "x"}}}}"""
        )
        make = f"aws cloudformation deploy --stack-name x --template-file {tmp_path / 'template.json'}"
        (tmp_path / "template.json").write_text(template)
        made = run("bash", "-c", f"{exports}\n{make}", **DEAD_PROXY)
        assert made.returncode == 0, made.stdout + made.stderr
    finally:
        localaws("down", *where)


def test_faults_are_set_shown_and_taken_away(tmp_path: Path) -> None:
    where = ("--state-dir", str(tmp_path / "state"))
    try:
        localaws("up", "--no-image", "--port", str(free_port()), *where)
        assert localaws("fault", "s3:*:0.2:SlowDown", *where).stdout == "Faults: s3:*:0.2:SlowDown\n"
        assert "Faults: s3:*:0.2:SlowDown\n" in localaws("status", *where).stdout
        wrong = localaws("fault", "s3:*:0.2", *where)
        assert wrong.returncode == 1
        assert wrong.stderr.startswith("localaws: The fault is 's3:*:0.2': the form is")
        assert localaws("fault", *where).stdout == "Faults: none\n"
        assert "Faults" not in localaws("status", *where).stdout
    finally:
        localaws("down", *where)
