"""`python -m localaws up|env|status|logs|connect|fault|serve|down`."""

import argparse
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from localaws.running_server import Server, UserError, alive, find_server
from localaws.runtime.environments import outside_proxy
from localaws.serve import NotServed, serve

START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 30.0


def main() -> None:
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except UserError as error:
        sys.exit(f"localaws: {error}")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m localaws", description=__doc__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--state-dir", type=Path, default=Path(".localaws"), help="default: %(default)s")
    commands = parser.add_subparsers(required=True)
    up_parser = commands.add_parser("up", parents=[shared], help="start the server in the background")
    up_parser.add_argument("--port", type=int, default=4566, help="default: %(default)s")
    up_parser.add_argument("--region", default="us-east-1", help="default: %(default)s")
    up_parser.add_argument(
        "--minute-seconds",
        type=positive_seconds,
        default=60.0,
        help="real seconds for a minute of bake times and alarm periods; default: %(default)g",
    )
    image_help = "jobs and endpoints run as in AWS's scikit-learn image; --no-image is no evidence for AWS"
    up_parser.add_argument("--image", action=argparse.BooleanOptionalAction, default=True, help=image_help)
    up_parser.set_defaults(run=up)
    env_parser = commands.add_parser("env", parents=[shared], help="print shell exports; use with eval")
    env_parser.set_defaults(run=env)
    status_parser = commands.add_parser("status", parents=[shared], help="what runs, and which stacks exist")
    status_parser.set_defaults(run=status)
    logs_parser = commands.add_parser("logs", parents=[shared], help="print the server's log")
    logs_parser.add_argument("-f", "--follow", action="store_true")
    logs_parser.set_defaults(run=logs)
    connect_parser = commands.add_parser(
        "connect", parents=[shared], help="complete a pending connection of CodeConnections"
    )
    connect_parser.add_argument("name", help="the connection's name")
    connect_parser.add_argument(
        "folder", type=Path, help="stands for the provider: FOLDER/owner/name is a git repository"
    )
    connect_parser.set_defaults(run=connect)
    fault_parser = commands.add_parser(
        "fault", parents=[shared], help="answer a share of the requests with an error; without RULE no more"
    )
    fault_parser.add_argument(
        "rules",
        nargs="*",
        metavar="RULE",
        help="SERVICE:OPERATION:PROBABILITY:CODE, with :after for an answer that is lost; the first that hits decides",
    )
    fault_parser.add_argument("--seed", type=int, default=0, help="of chance; default: %(default)s")
    fault_parser.set_defaults(run=fault)
    serve_parser = commands.add_parser(
        "serve", help="serve a model archive as the scikit-learn image does on a serverless endpoint"
    )
    serve_parser.add_argument("archive", type=Path, help="model.tar.gz")
    serve_parser.add_argument("--port", type=int, default=8080, help="default: %(default)s")
    serve_parser.add_argument(
        "--env", action="append", type=variable, default=[], metavar="NAME=VALUE", help="as in CreateModel"
    )
    serve_parser.set_defaults(run=serve_archive)
    down_parser = commands.add_parser("down", parents=[shared], help="stop the server and all it started")
    down_parser.add_argument("--keep", action="store_true", help="keep the state folder, with its logs")
    down_parser.set_defaults(run=down)
    return parser


def positive_seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value


def variable(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise ValueError(text)
    return name, value


def up(arguments: argparse.Namespace) -> None:
    state_dir: Path = arguments.state_dir
    running = find_server(state_dir)
    if running is not None:
        print(f"Already running: {running.endpoint_url} (pid {running.pid}, state in {state_dir}).")
        return
    if state_dir.exists():
        _remove_stale(state_dir)
    _require_free(arguments.port)
    state_dir.mkdir(parents=True, mode=0o700)  # keys and build variables are in it
    (state_dir / ".gitignore").write_text("*\n")
    with (state_dir / "server.log").open("w") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "localaws.server",
                "--port",
                str(arguments.port),
                "--region",
                arguments.region,
                "--state-dir",
                str(state_dir),
                "--minute-seconds",
                str(arguments.minute_seconds),
                *([] if arguments.image else ["--no-image"]),
            ],
            env={**os.environ, **outside_proxy(os.environ)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = _wait_until_ready(process, state_dir)
    print(f"Local AWS: {server.endpoint_url} (pid {server.pid}, region {server.region})")
    print(f"Log:       {state_dir / 'server.log'}")
    print('Next:      eval "$(python -m localaws env)"')


def _wait_until_ready(process: subprocess.Popen[bytes], state_dir: Path) -> Server:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        server = find_server(state_dir)
        if server is not None:
            return server
        time.sleep(0.05)
    process.kill()
    tail = "\n".join((state_dir / "server.log").read_text().splitlines()[-15:])
    raise UserError(
        f"the server did not start within {START_TIMEOUT_SECONDS:.0f} s. Its log ends with:\n{tail}"
    )


def _require_free(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(
                f"port {port} is used by another program; choose another one by --port."
            ) from error


def _remove_stale(state_dir: Path) -> None:
    known = {"server.json", "server.log", ".gitignore"}
    if any(state_dir.iterdir()) and not known & {path.name for path in state_dir.iterdir()}:
        raise UserError(f"{state_dir} is no state folder of a local AWS; choose another --state-dir.")
    print(f"Removing {state_dir}: the server it belonged to is gone.")
    shutil.rmtree(state_dir)


def env(arguments: argparse.Namespace) -> None:
    for name, value in _require_server(arguments.state_dir).environment().items():
        print(f"export {name}={shlex.quote(value)}")


def status(arguments: argparse.Namespace) -> None:
    server = _require_server(arguments.state_dir)
    started = (arguments.state_dir / "server.json").stat().st_mtime
    print(f"Running: {server.endpoint_url}, pid {server.pid}, up {time.time() - started:.0f} s")
    report = server.report()
    print(f"Containers: {report['containers']}")
    if report["faults"]:
        print(f"Faults: {' '.join(report['faults'])}")
    print(f"Processes: {len(report['processes'])}")
    for pid, command in report["processes"]:
        print(f"  {pid:>7}  {command}")
    print(f"Stacks: {len(report['stacks'])}")
    for name, state in report["stacks"]:
        print(f"  {name}  {state}")


def logs(arguments: argparse.Namespace) -> None:
    path: Path = arguments.state_dir / "server.log"
    if not path.exists():
        raise UserError(f"no log at {path}; start the server first: python -m localaws up.")
    with path.open() as log:
        while True:
            chunk = log.read()
            print(chunk, end="", flush=True)
            if not arguments.follow:
                return
            if not chunk:
                time.sleep(0.3)


def connect(arguments: argparse.Namespace) -> None:
    server = _require_server(arguments.state_dir)
    if not arguments.folder.is_dir():
        raise UserError(f"{arguments.folder} is no folder; it stands for the provider and holds owner/name.")
    request = {"name": arguments.name, "folder": str(arguments.folder.resolve())}
    print(f"{server.ask('connect', request)['ConnectionArn']} is available.")


def fault(arguments: argparse.Namespace) -> None:
    server = _require_server(arguments.state_dir)
    server.ask("faults", {"faults": arguments.rules, "seed": arguments.seed})
    print(f"Faults: {' '.join(arguments.rules) or 'none'}")


def serve_archive(arguments: argparse.Namespace) -> None:
    _require_free(arguments.port)
    try:
        sys.exit(serve(arguments.archive, arguments.port, dict(arguments.env)))
    except (NotServed, OSError, tarfile.TarError) as error:
        raise UserError(f"{arguments.archive} is not served: {error}") from error


def down(arguments: argparse.Namespace) -> None:
    state_dir: Path = arguments.state_dir
    server = find_server(state_dir)
    if server is None:
        print("Not running.")
    else:
        containers = _containers(server)
        _stop(server)
        print(f"Stopped {server.endpoint_url} and everything it had started.")
        print(f"Containers: {containers}")
    if state_dir.exists() and not arguments.keep:
        shutil.rmtree(state_dir)


def _containers(server: Server) -> str:
    """A sentence on how jobs and endpoints ran, which says whether the run is evidence for AWS."""
    try:
        return str(server.report()["containers"])
    except UserError as error:
        return f"unknown: {error}"


def _stop(server: Server) -> None:
    os.kill(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if not alive(server.pid):
            return
        time.sleep(0.05)
    os.kill(server.pid, signal.SIGKILL)
    print(f"The server did not stop within {STOP_TIMEOUT_SECONDS:.0f} s and was killed.")


def _require_server(state_dir: Path) -> Server:
    server = find_server(state_dir)
    if server is None:
        raise UserError(f"not running (no server in {state_dir}); start it: python -m localaws up.")
    return server
