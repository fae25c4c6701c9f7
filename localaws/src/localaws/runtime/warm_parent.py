"""The process that has a job's usual libraries loaded and forks for every job; a program of its own.

`python warm_parent.py SOCKET LIBRARY…` loads the libraries and listens on that (abstract) Unix socket. One connection is one child:
the client sends the request (length, JSON) with the descriptor for the child's output; the child answers with
its process id and begins when the client sends a byte; its exit code follows at the end.

Loaded third-party modules are hidden in the child until the first of them is imported. When the job has
installed another version by then, the child starts again as a plain Python.
"""

import atexit
import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
import traceback
import types
from collections.abc import Sequence
from contextlib import suppress
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, NoReturn

# What jobs of the scikit-learn image import, and the MLflow client.
LIBRARIES = (
    "numpy",
    "scipy.stats",
    "scipy.sparse.linalg",
    "pandas",
    "pyarrow",
    "sklearn",
    "joblib",
    "cloudpickle",
    "boto3",
    "s3transfer",
    "flask",
    "yaml",
    "pydantic",
    "mlflow",
    "mlflow.sklearn",
    "mlflow.pyfunc",
    "mlflow.tracking",
    "sagemaker_mlflow",
    "matplotlib.pyplot",
)
HEADER = struct.Struct("!I")
READY = "ready"


def main() -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind("\0" + sys.argv[1])
    listener.listen()
    del sys.path[0]  # the folder of this file is no place for a job's imports
    standard = set(sys.modules)
    for name in sys.argv[2:]:
        load(name)
    hidden = {name: module for name, module in sys.modules.items() if _is_third_party(name, module, standard)}
    if threading.active_count() != 1:
        print(f"threads would be lost in a fork: {threading.enumerate()}", flush=True)
        sys.exit(1)
    gc.collect()
    gc.freeze()
    print(READY, flush=True)
    serve(listener, hidden)


def load(name: str) -> None:
    """Imports a library that the environment has, and scikit-learn's parts, which load on demand."""
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        return
    module = importlib.import_module(name)
    if name == "sklearn":
        for part in module.__all__:
            with suppress(ImportError):  # functions are listed among the modules
                importlib.import_module(f"sklearn.{part}")


def serve(listener: socket.socket, hidden: dict[str, types.ModuleType]) -> None:
    children: dict[int, socket.socket] = {}
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        watched: list[Any] = [listener, wake_read]
        readable, _, _ = select.select(watched, [], [])
        if wake_read in readable:
            os.read(wake_read, 4096)
            _report_ended(children)
        if listener in readable:
            connection, _ = listener.accept()
            request, output = _receive(connection)
            pid = os.fork()
            if pid == 0:
                # Only this child's own connection: the others' must close when their clients go.
                for other in children.values():
                    other.close()
                for descriptor in (wake_read, wake_write):
                    os.close(descriptor)
                listener.close()
                run_child(request, output, connection, hidden)
            os.close(output)
            children[pid] = connection


def _report_ended(children: dict[int, socket.socket]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        connection = children.pop(pid)
        with suppress(BrokenPipeError):
            connection.sendall(struct.pack("!i", os.waitstatus_to_exitcode(status)))
        connection.close()


def _receive(connection: socket.socket) -> tuple[dict[str, Any], int]:
    head, descriptors, _, _ = socket.recv_fds(connection, HEADER.size, 1)
    (size,) = HEADER.unpack(head)
    body = bytearray()
    while len(body) < size:
        body += connection.recv(size - len(body))
    request: dict[str, Any] = json.loads(body)
    return request, descriptors[0]


def run_child(
    request: dict[str, Any], output: int, connection: socket.socket, hidden: dict[str, types.ModuleType]
) -> NoReturn:
    """Becomes what `python arguments…` would be, and ends the process."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        connection.sendall(HEADER.pack(os.getpid()))  # only now: whoever knows it may signal the group
        go = connection.recv(1)
        connection.close()
        if not go:  # nobody would end this process
            os._exit(1)
        _take_over(request, output, hidden)
        code = _run(request["arguments"])
    except SystemExit as end:
        code = _exit_code(end.code)
    except BaseException as error:
        own = error.__traceback__
        while own is not None and own.tb_frame.f_code.co_filename == __file__:
            own = own.tb_next
        traceback.print_exception(type(error), error, own)
    finally:
        _finish(code)


def _take_over(request: dict[str, Any], output: int, hidden: dict[str, types.ModuleType]) -> None:
    environment: dict[str, str] = request["environment"]
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, write_through=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(request["directory"])
    overlay = Path(environment["VIRTUAL_ENV"])
    sys.executable = str(overlay / "bin" / "python")
    sys.prefix = sys.exec_prefix = str(overlay)
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    arguments: list[str] = request["arguments"]
    sys.argv = ["-c", *arguments[2:]] if arguments[0] == "-c" else list(arguments)
    site_packages = overlay / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    first = "" if arguments[0] == "-c" else str(Path(arguments[0]).resolve().parent)
    python_path = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    # As the interpreter orders them: the overlay before what it lies over, both behind the standard library.
    base = [path for path in sys.path if path]
    standard = [path for path in base if "site-packages" not in path]
    sys.path[:] = [first, *python_path, *standard, str(site_packages)]
    sys.path += [path for path in base if path not in standard]
    importlib.invalidate_caches()
    _forget_state()
    for name in hidden:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, HiddenModules(hidden, site_packages, arguments))


def _forget_state() -> None:
    """What a process of its own would not share with its siblings."""
    import random
    import tempfile

    random.seed()
    tempfile.tempdir = None
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


class HiddenModules:
    """A finder that gives loaded modules back, unless the job installed others of the same names."""

    def __init__(
        self, hidden: dict[str, types.ModuleType], site_packages: Path, arguments: Sequence[str]
    ) -> None:
        self._hidden = hidden
        self._top_level = {name.partition(".")[0] for name in hidden}
        self._site_packages = site_packages
        self._arguments = arguments

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name not in self._hidden:
            return None
        replaced = sorted(
            self._top_level & {entry.name.partition(".")[0] for entry in self._site_packages.iterdir()}
        )
        if replaced:
            self._start_again()
        sys.meta_path.remove(self)
        for other, module in self._hidden.items():
            sys.modules.setdefault(other, module)
        module = sys.modules.pop(name)
        return ModuleSpec(name, LoadedModule(module))

    def _start_again(self) -> NoReturn:
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *self._arguments], os.environ)  # noqa: S606


class LoadedModule(Loader):
    """A loader that has loaded already."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module
        self._spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        return self._module

    def exec_module(self, module: types.ModuleType) -> None:
        module.__spec__ = self._spec


def _run(arguments: Sequence[str]) -> int:
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = __builtins__
    if arguments[0] == "-c":
        code = compile(arguments[1], "<string>", "exec")
    else:
        script = Path(arguments[0]).absolute()
        if not script.is_file():
            print(f"{sys.executable}: can't open file '{script}': [Errno 2] No such file", file=sys.stderr)
            return 2
        module.__file__ = str(script)
        code = compile(script.read_bytes(), script, "exec")
    sys.modules["__main__"] = module
    exec(code, module.__dict__)  # noqa: S102 - this is a Python interpreter
    return 0


def _exit_code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def _finish(code: int) -> NoReturn:
    """Ends as the interpreter does: threads, exit functions, buffers; without freeing every object."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _is_third_party(name: str, module: types.ModuleType, standard: set[str]) -> bool:
    """Modules that an installation can replace; what came with the interpreter stays as it is."""
    if name in standard or name.partition(".")[0] in sys.stdlib_module_names:
        return False
    file = getattr(module, "__file__", None)
    return file is None or "site-packages" in file


if __name__ == "__main__":
    main()
