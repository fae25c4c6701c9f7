"""Forks of the warm parent behave like a Python of their own, and none outlives the local AWS."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localaws.runtime.environments import overlay_environment
from localaws.runtime.processes import ProcessTable
from localaws.runtime.warm_python import WarmPython

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmPython]:
    processes = ProcessTable()
    warm = WarmPython(
        processes, tmp_path_factory.mktemp("warm"), ["numpy", "sklearn", "yaml", "importlib_metadata"]
    )
    assert warm.wait_until_ready(120), warm.messages
    yield warm
    warm.close()
    processes.close()


@pytest.fixture
def run(warm: WarmPython, tmp_path: Path) -> Run:
    """Run `python3 arguments…` in a fork; its exit code and its lines."""
    environment = {
        **overlay_environment(tmp_path / "overlay"),
        "MARK": "1",
        "PYTHONPATH": str(tmp_path / "lib"),
    }

    def run(*arguments: str) -> tuple[int, list[str]]:
        lines: list[str] = []
        assert warm.runs(["python3", *arguments])
        process = warm.start(
            ["python3", *arguments], environment=environment, directory=tmp_path, on_line=lines.append
        )
        return process.wait(60), lines

    return run


def test_environment_arguments_and_paths_are_its_own(run: Run, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "shared.py").write_text("WORD = 'shared'")
    (tmp_path / "beside.py").write_text("WORD = 'beside'")
    script = tmp_path / "script.py"
    script.write_text(
        "import os, sys, beside, shared\n"
        "print(sys.argv, beside.WORD, shared.WORD, __name__, os.getcwd() == os.path.dirname(__file__))\n"
        "print(sorted(os.environ)[0], sys.prefix, sys.executable)"
    )
    code, lines = run("script.py", "--a", "1")
    assert code == 0, lines
    assert lines[0] == "['script.py', '--a', '1'] beside shared __main__ True"
    overlay = tmp_path / "overlay"
    assert lines[1] == f"MARK {overlay} {overlay}/bin/python"


def test_what_is_installed_is_found_though_the_backport_was_loaded(run: Run) -> None:
    """importlib_metadata takes the standard library's finder of distributions away when it is imported."""
    program = "import importlib.metadata as m; print(m.version('numpy')); import importlib_metadata; print(m.version('numpy'))"
    code, lines = run("-c", program)
    assert code == 0, lines
    assert lines[0] == lines[1] != ""


def test_the_local_aws_is_imported_where_the_backport_was_loaded() -> None:
    """A test may import mlflow, which loads importlib_metadata, before the local AWS."""
    subprocess.run(
        [sys.executable, "-c", "import importlib_metadata, localaws.runtime.hidden_modules"], check=True
    )


@pytest.mark.parametrize(
    ("program", "code", "last_line"),
    [
        ("print('a'); import sys; sys.exit(7)", 7, "a"),
        ("import sys; sys.exit('reason')", 1, "reason"),
        ("raise ValueError('x')", 1, "ValueError: x"),
        ("import os, signal; print('a'); os.kill(os.getpid(), signal.SIGKILL)", -9, "a"),
        ("import atexit; atexit.register(print, 'late')", 0, "late"),
        ("import threading, time; threading.Timer(0.2, print, ['later']).start()", 0, "later"),
    ],
)
def test_ends(run: Run, program: str, code: int, last_line: str) -> None:
    assert run("-c", program)[0] == code
    assert run("-c", program)[1][-1] == last_line


def test_libraries_are_there_and_random_numbers_differ(run: Run) -> None:
    program = "import numpy, sklearn.linear_model; print(numpy.random.random())"
    first, second = run("-c", program), run("-c", program)
    assert first[0] == second[0] == 0, first
    assert first[1] != second[1]


def test_a_job_sees_what_it_installed(run: Run) -> None:
    program = """
    import pathlib, subprocess, sys
    site = next(pathlib.Path(sys.prefix).glob("lib/python*/site-packages"))
    (site / "fresh_package.py").write_text("")
    (site / "yaml.py").write_text("MINE = True")
    import fresh_package, yaml
    print(yaml.MINE)
    subprocess.run([sys.executable, "-c", "import yaml; print(yaml.MINE)"], check=True)
    """
    code, lines = run("-c", textwrap.dedent(program))
    assert (code, lines) == (0, ["True", "True"])


LOCAL_AWS = """
import sys, time
from pathlib import Path
from localaws.runtime.environments import overlay_environment
from localaws.runtime.processes import ProcessTable
from localaws.runtime.warm_python import WarmPython
home = Path(sys.argv[1])
warm = WarmPython(ProcessTable(), home / "warm", [])
assert warm.wait_until_ready(120)
program = "import subprocess, sys, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"
job = warm.start(["python3", "-c", program], environment=overlay_environment(home / "overlay"),
                 directory=home, on_line=print)
print(job.pid, warm._parent.pid, flush=True)
time.sleep(600)
"""


def test_nothing_outlives_a_local_aws_that_is_killed(
    tmp_path: Path, wait_until: Callable[[Callable[[], bool]], None]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", LOCAL_AWS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        groups = [int(word) for word in server.stdout.readline().split()]
        assert all(group_runs(group) for group in groups)
        server.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(group_runs(group) for group in groups))


def group_runs(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


OTHER_USER = 65534
# Where the socket can be reached; a fork is asked for as the local AWS asks for it.
ASK = """
import os, socket, sys
from localaws.runtime import forking
os.chdir(sys.argv[1])
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
connection.connect(sys.argv[2])
request = {"arguments": ["-c", "print('ran')"], "environment": {}, "directory": "/"}
forking.send_request(connection, request, [0, 1, 2])
print(connection.recv(4))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_another_user_of_the_machine_runs_nothing(tmp_path: Path) -> None:
    processes = ProcessTable()
    folder = Path(tempfile.mkdtemp(prefix="localaws-test-"))
    warm = WarmPython(processes, folder, ["json"])
    try:
        assert warm.wait_until_ready(60), warm.messages
        (address,) = (path.name for path in folder.iterdir() if path.is_socket())

        def ask() -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-c", ASK, str(folder), f"{folder}/{address}"]
            return subprocess.run(command, capture_output=True, text=True, check=False)

        assert "PermissionError" in ask().stderr
        folder.chmod(0o777)
        (folder / address).chmod(0o777)
        refused = ask()
        assert "ran" not in refused.stdout
        assert f"a connection of user {OTHER_USER} was refused" in warm.messages
    finally:
        warm.close()
        processes.close()
        shutil.rmtree(folder)
