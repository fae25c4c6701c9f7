"""The process that has a job's usual libraries loaded and forks for every job; a program of its own.

`python -c PROGRAM SOURCE SOCKET LAYER LIBRARY…` loads the libraries, those in the folder LAYER before others, and listens
on that Unix socket. SOURCE is where the local AWS is imported from, which the image's Python does not have. One connection is one child: the client sends the request (length, JSON) with the descriptors for the
child's input, output and errors; the child answers with its process id and begins when the client sends a byte; its exit
code follows at the end.

Loaded third-party modules are hidden in the child until the first of them is imported. When the child would not find
those very modules by then, because others were installed or the layer is not there, it starts again as a plain Python.

In a container (isolation.Sandbox), Python programs that the child starts are forks as well: of a second child, which is in
the container and has run nothing yet, or of another parent's (see the roles).
"""

import gc
import importlib
import importlib.util
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from localaws.runtime import forking, hidden_modules, interpreter, isolation, layers

PROGRAM = "import sys; sys.path[0] = sys.argv[1]; from localaws.runtime.warm_parent import main; del sys.path[0]; main()"
SOURCE = str(Path(__file__).parents[2])
OWN_FILES = (__file__, interpreter.__file__, isolation.__file__, runpy.__file__, "<frozen runpy>")
_IN_BOTH = (
    *("numpy", "scipy.stats", "scipy.sparse.linalg", "pandas", "pyarrow", "sklearn", "joblib"),
    *("boto3", "flask", "yaml"),
)
# What jobs of the scikit-learn image import, and the MLflow client.
LIBRARIES = (
    *_IN_BOTH,
    "cloudpickle",
    "s3transfer",
    "pydantic",
    "mlflow",
    "mlflow.pyfunc",
    "mlflow.tracking",
    "sagemaker_mlflow",
    "matplotlib.pyplot",
)
# What serves a model imports; no layer, as a model's archive brings no wheels. Not gunicorn, which notes the working
# folder when it is imported.
SERVER_LIBRARIES = (
    *_IN_BOTH,
    *("gevent", "paramiko", "pkg_resources", "psutil", "retrying", "werkzeug.serving"),
)
READY = "ready"
# In a container: a program and what forks for it; only a program, as another parent forks for it; only what forks.
ALONE, FORKED, FORKS = "alone", "forked", "forks"


def main() -> None:
    address, layer, *libraries = sys.argv[2:]
    for name in [name for name in sys.modules if name.partition(".")[0] == "localaws"]:
        del sys.modules[name]  # no module for a job to find
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen()
    if layer:
        sys.path.insert(0, layer)
    standard = set(sys.modules)
    for name in libraries:
        load(name)
    hidden = hidden_modules.third_party(standard, layer)
    if layer:
        sys.path.remove(layer)
    if threading.active_count() != 1:
        print(f"threads would be lost in a fork: {threading.enumerate()}", flush=True)
        sys.exit(1)
    gc.collect()
    gc.freeze()
    print(READY, flush=True)
    Parent(hidden, layer).serve(listener, lambda: accept_own_user(listener))


def load(name: str) -> None:
    """Import a library that the environment has, and scikit-learn's parts, which load on demand."""
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        return
    module = importlib.import_module(name)
    if name == "sklearn":
        for part in module.__all__:
            with suppress(ImportError):  # functions are listed among the modules
                importlib.import_module(f"sklearn.{part}")


def accept_own_user(listener: socket.socket) -> socket.socket:
    """The next connection of this process's own user; those of others are closed."""
    while True:
        connection, _ = listener.accept()
        size = struct.calcsize("3i")
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
        if uid == os.getuid():
            return connection
        print(f"a connection of user {uid} was refused", flush=True)
        connection.close()


class Parent:
    """Forks."""

    def __init__(self, hidden: hidden_modules.Modules, layer: str) -> None:
        self._hidden = hidden
        self._layer = layer
        self._in_container = False

    def serve(self, source: socket.socket, accept: Callable[[], socket.socket]) -> NoReturn:
        children: dict[int, socket.socket] = {}
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            watched: list[Any] = [source, wake_read]
            readable, _, _ = select.select(watched, [], [])
            if wake_read in readable:
                os.read(wake_read, 4096)
                _report_ended(children)
            if source in readable:
                connection = accept()
                request, descriptors = forking.receive_request(connection)
                pid = os.fork()
                if pid == 0:
                    # Only this child's own connection: the others' must close when their clients go.
                    for other in children.values():
                        other.close()
                    for descriptor in (wake_read, wake_write):
                        os.close(descriptor)
                    source.close()
                    self._run_child(request, descriptors, connection)
                for descriptor in descriptors:
                    os.close(descriptor)
                children[pid] = connection

    def _run_child(
        self, request: dict[str, Any], descriptors: list[int], connection: socket.socket
    ) -> NoReturn:
        """Run in this fork what `python arguments…` would run, and end the process."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if not self._in_container:
                os.setsid()
            connection.sendall(forking.HEADER.pack(os.getpid()))  # only now: the group can be signalled
            go = connection.recv(1)
            connection.close()
            if not go:  # nobody would end this process
                os._exit(1)
            interpreter.take_over(request["environment"], descriptors)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        sandbox = request.get("sandbox")
        if sandbox is not None:
            isolation.run(sandbox, lambda: self._begin_container(request))
        self._interpret(request)

    def _begin_container(self, request: dict[str, Any]) -> NoReturn:
        """Serve forks for the programs of a container, in a second child unless this process is for that only."""
        self._in_container = True
        if request["role"] == FORKED:
            self._interpret(request)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(forking.ADDRESS)
        listener.listen()
        if request["role"] == FORKS or os.fork() == 0:
            try:
                self.serve(listener, lambda: listener.accept()[0])
            finally:
                os._exit(0)
        listener.close()
        self._interpret(request)

    def _interpret(self, request: dict[str, Any]) -> NoReturn:
        arguments: list[str] = request["arguments"]
        code = 1
        try:
            os.chdir(request["directory"])
            if self._in_container:
                subprocess._fork_exec = forking.Forking(forking.ADDRESS)  # type: ignore[attr-defined]  # noqa: SLF001
                if layers.install(arguments, self._layer):
                    interpreter.finish(0)
            self._become_python(arguments, os.environ)
            code = interpreter.run(arguments)
        except SystemExit as end:
            code = interpreter.exit_code(end.code)
        except BaseException as error:
            own = error.__traceback__
            while own is not None and own.tb_frame.f_code.co_filename in OWN_FILES:
                own = own.tb_next
            traceback.print_exception(type(error), error, own)
        finally:
            interpreter.finish(code)

    def _become_python(self, arguments: list[str], environment: Mapping[str, str]) -> None:
        overlay = environment.get("VIRTUAL_ENV")
        if overlay:
            sys.executable = str(Path(overlay, "bin", "python"))
            sys.prefix = sys.exec_prefix = overlay
        sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
        sys.argv = [arguments[0], *arguments[2:]] if arguments[0] in ("-c", "-m") else list(arguments)
        if arguments[0] == "-c":
            first = ""
        else:
            first = str(Path.cwd() if arguments[0] == "-m" else Path(arguments[0]).resolve().parent)
        python_path = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
        # As the interpreter orders them: the overlay before what it lies over, both behind the standard library.
        base = [path for path in sys.path if path]
        standard = [path for path in base if "site-packages" not in path]
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        added = [str(Path(overlay, "lib", version, "site-packages"))] if overlay else []
        sys.path[:] = [
            first,
            *python_path,
            *standard,
            *added,
            *(path for path in base if path not in standard),
        ]
        importlib.invalidate_caches()
        interpreter.forget_state()
        for name in self._hidden:
            sys.modules.pop(name, None)
        restart = [sys.executable, *arguments]
        hidden_modules.HiddenModules(self._hidden, set(base), self._layer, restart)


def _report_ended(children: dict[int, socket.socket]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        connection = children.pop(pid)
        with suppress(BrokenPipeError):
            connection.sendall(struct.pack("!i", os.waitstatus_to_exitcode(status)))
        connection.close()
