"""The process that has a job's usual libraries loaded and forks for every job; a program of its own.

`python warm_parent.py SOCKET LAYER LIBRARY…` loads the libraries, those in the folder LAYER before others, and listens on
that Unix socket. One connection is one child: the client sends the request (length, JSON) with the descriptors for the
child's input, output and errors; the child answers with its process id and begins when the client sends a byte; its exit
code follows at the end.

Loaded third-party modules are hidden in the child until the first of them is imported. When the child would not find
those very modules by then, because others were installed or the layer is not there, it starts again as a plain Python.

In a container (isolation.Sandbox), Python programs that the child starts are forks as well: of a second child, which is in
the container and has run nothing yet.
"""

import atexit
import gc
import importlib
import importlib.util
import json
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
import types
from collections.abc import Callable, Mapping, Sequence
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
# Besides, what AWS's toolkits import; they themselves make folders when they are imported.
IMAGE_LIBRARIES = (*LIBRARIES, "paramiko", "pkg_resources", "psutil", "retrying", "werkzeug.serving")
# What serves a model imports; no layer, as a model's archive brings no wheels. Not gunicorn, which notes the working
# folder when it is imported.
SERVER_LIBRARIES = (
    *(
        "numpy",
        "scipy.stats",
        "scipy.sparse.linalg",
        "pandas",
        "pyarrow",
        "sklearn",
        "joblib",
        "boto3",
        "flask",
    ),
    *("gevent", "pkg_resources", "psutil", "retrying", "werkzeug.serving", "yaml"),
)
HEADER = struct.Struct("!I")
READY = "ready"
STANDARD_DESCRIPTORS = 3
PYTHONS = ("python", "python3")

Modules = dict[str, types.ModuleType]


def main() -> None:
    address, layer, *libraries = sys.argv[1:]
    own_folder = sys.path.pop(0)  # no place for a job's imports
    isolation, layers = (_load_beside(own_folder, name) for name in ("isolation", "layers"))
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen()
    if layer:
        sys.path.insert(0, layer)
    standard = set(sys.modules)
    for name in libraries:
        load(name)
    hidden = {
        name: module for name, module in sys.modules.items() if _is_third_party(name, module, standard, layer)
    }
    if layer:
        sys.path.remove(layer)
    if threading.active_count() != 1:
        print(f"threads would be lost in a fork: {threading.enumerate()}", flush=True)
        sys.exit(1)
    gc.collect()
    gc.freeze()
    print(READY, flush=True)
    Parent(isolation, layers, hidden, layer).serve(listener, lambda: listener.accept()[0])


def load(name: str) -> None:
    """Imports a library that the environment has, and scikit-learn's parts, which load on demand."""
    if importlib.util.find_spec(name.partition(".")[0]) is None:
        return
    module = importlib.import_module(name)
    if name == "sklearn":
        for part in module.__all__:
            with suppress(ImportError):  # functions are listed among the modules
                importlib.import_module(f"sklearn.{part}")


class Parent:
    """Forks; `control`, in a container, is where a program asks for a fork."""

    def __init__(self, isolation: Any, layers: Any, hidden: Modules, layer: str) -> None:
        self._isolation = isolation
        self._layers = layers
        self._hidden = hidden
        self._layer = layer
        self._control: socket.socket | None = None

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
                request, descriptors = _receive(connection)
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
        """Becomes what `python arguments…` would be, and ends the process."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if self._control is None:
                os.setsid()
            connection.sendall(HEADER.pack(os.getpid()))  # only now: whoever knows it may signal the group
            go = connection.recv(1)
            connection.close()
            if not go:  # nobody would end this process
                os._exit(1)
            _take_over(request["environment"], descriptors)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        sandbox = request.get("sandbox")
        if sandbox is not None:
            self._isolation.run(sandbox, lambda: self._begin_container(request))
        self._interpret(request)

    def _begin_container(self, request: dict[str, Any]) -> NoReturn:
        """In the container: forks the second child, which forks for programs that the first one starts."""
        requests, self._control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            try:
                self.serve(requests, lambda: _passed_socket(requests))
            finally:
                os._exit(0)
        requests.close()
        self._interpret(request)

    def _interpret(self, request: dict[str, Any]) -> NoReturn:
        arguments: list[str] = request["arguments"]
        code = 1
        try:
            os.chdir(request["directory"])
            if self._control is not None:
                subprocess._fork_exec = Forking(self._control)  # type: ignore[attr-defined]
                if self._layers.install(arguments, self._layer):
                    _finish(0)
            self._become_python(arguments, os.environ)
            code = _run(arguments)
        except SystemExit as end:
            code = _exit_code(end.code)
        except BaseException as error:
            own = error.__traceback__
            while own is not None and own.tb_frame.f_code.co_filename == __file__:
                own = own.tb_next
            traceback.print_exception(type(error), error, own)
        finally:
            _finish(code)

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
        _forget_state()
        for name in self._hidden:
            sys.modules.pop(name, None)
        # AWS's toolkits begin before a job has installed anything: a newer certifi does not matter to them.
        needs_layer = self._layer if not is_console_script(arguments) else ""
        restart = [sys.executable, *arguments]
        sys.meta_path.insert(0, HiddenModules(self._hidden, set(base), self._layer, needs_layer, restart))


def is_console_script(arguments: Sequence[str]) -> bool:
    return Path(arguments[0]).parent == Path(sys.executable).parent


class Forking:
    """Stands for subprocess's own fork and exec: a Python program is asked for from the second child."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._original: Callable[..., int] = subprocess._fork_exec  # type: ignore[attr-defined]

    def __call__(self, *given: Any) -> int:
        (arguments, _, _, _, directory, variables, *_) = given
        stdin, _, _, stdout, _, stderr, errors_read, errors_write = given[6:14]
        new_session, *special = given[15:22]
        words = _interpreted([os.fsdecode(word) for word in arguments])
        (_, _, _, passed) = given[:4]
        plain = not new_session and special == [-1, None, None, None, -1, None] and passed == (errors_write,)
        if not plain or not runs(words):
            return self._original(*given)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        pid = os.fork()
        if pid != 0:
            return pid
        code = 1
        try:
            os.close(errors_read)
            os.close(errors_write)  # says that the program has begun
            request = {
                "arguments": words[1:],
                "environment": _variables(variables),
                "directory": os.fsdecode(directory or Path.cwd()),
            }
            pairs = ((stdin, 0), (stdout, 1), (stderr, 2))
            code = self._ask(request, [own if own != -1 else standard for own, standard in pairs])
        finally:
            os._exit(code)

    def _ask(self, request: dict[str, Any], descriptors: list[int]) -> int:
        mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        socket.send_fds(self._control, [b"+"], [its.fileno()])
        its.close()
        send_request(mine, request, descriptors)
        os.closerange(
            0, STANDARD_DESCRIPTORS
        )  # whoever reads the program's output waits for its end, not for this
        for descriptor in descriptors:
            with suppress(OSError):
                os.close(descriptor)
        mine.recv(HEADER.size)
        mine.sendall(b"g")
        (code,) = struct.unpack("!i", mine.recv(4))
        if code < 0:
            with suppress(OSError):  # SIGKILL has no handler
                signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        return int(code)


def runs(command: Sequence[str]) -> bool:
    """Whether a fork can stand for this command: a Python script, -c, or pip."""
    if len(command) < 2 or (Path(command[0]).name not in PYTHONS and command[0] != sys.executable):
        return False
    path = Path(command[1])
    script = path.suffix == ".py" or (path.is_absolute() and path.parent == Path(command[0]).parent)
    return command[1] == "-c" or script or list(command[1:3]) == ["-m", "pip"]


def _interpreted(command: list[str]) -> list[str]:
    """A console script of the environment by its interpreter, anything else as it is."""
    script = Path(sys.executable).with_name(command[0])
    if "/" in command[0] or script.suffix or command[0].startswith("python") or not script.is_file():
        return command
    with script.open("rb") as file:
        return [sys.executable, str(script), *command[1:]] if file.read(2) == b"#!" else command


def send_request(connection: socket.socket, request: dict[str, Any], descriptors: Sequence[int]) -> None:
    body = json.dumps(request).encode()
    socket.send_fds(connection, [HEADER.pack(len(body))], descriptors)
    connection.sendall(body)


def _variables(given: Sequence[bytes] | None) -> dict[str, str]:
    if given is None:
        return dict(os.environ)
    pairs = (os.fsdecode(item).partition("=") for item in given)
    return {name: value for name, _, value in pairs}


def _passed_socket(requests: socket.socket) -> socket.socket:
    _, descriptors, _, _ = socket.recv_fds(requests, 1, 1)
    return socket.socket(fileno=descriptors[0])


def _report_ended(children: dict[int, socket.socket]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        connection = children.pop(pid)
        with suppress(BrokenPipeError):
            connection.sendall(struct.pack("!i", os.waitstatus_to_exitcode(status)))
        connection.close()


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, descriptors, _, _ = socket.recv_fds(connection, HEADER.size, STANDARD_DESCRIPTORS)
    (size,) = HEADER.unpack(head)
    body = bytearray()
    while len(body) < size:
        body += connection.recv(size - len(body))
    request: dict[str, Any] = json.loads(body)
    return request, descriptors


def _take_over(environment: Mapping[str, str], descriptors: Sequence[int]) -> None:
    # First out of the way: one of them may have the number of another's place.
    moved = [os.dup(descriptor) for descriptor in descriptors]
    for standard, descriptor in enumerate(moved):
        os.dup2(descriptor, standard)
    for descriptor in {*moved, *descriptors} - set(range(STANDARD_DESCRIPTORS)):
        os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, write_through=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(environment)


def _forget_state() -> None:
    """What a process of its own would not share with its siblings."""
    import random
    import tempfile

    random.seed()
    tempfile.tempdir = None
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


class HiddenModules:
    """A finder that gives loaded modules back, unless others of the same names would be found."""

    def __init__(
        self, hidden: Modules, base: set[str], layer: str, needed_layer: str, restart: list[str]
    ) -> None:
        self._hidden = hidden
        self._top_level = {name.partition(".")[0] for name in hidden}
        self._base = base
        self._layer = layer
        self._needed_layer = needed_layer
        self._restart = restart

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name not in self._hidden:
            return None
        if self._others_would_be_found():
            self._start_again()
        sys.meta_path.remove(self)
        for other, module in self._hidden.items():
            sys.modules.setdefault(other, module)
        module = sys.modules.pop(name)
        return ModuleSpec(name, LoadedModule(module))

    def _others_would_be_found(self) -> bool:
        added = {os.path.realpath(path) for path in sys.path if path and path not in self._base}
        if self._needed_layer and self._needed_layer not in added:
            return True
        for folder in added - {self._layer}:
            with suppress(OSError):
                if self._top_level & {
                    name for entry in Path(folder).iterdir() if (name := _module_name(entry))
                }:
                    return True
        return False

    def _start_again(self) -> NoReturn:
        sys.stdout.flush()
        os.execve(self._restart[0], self._restart, os.environ)  # noqa: S606


def _module_name(entry: Path) -> str:
    """What an entry of sys.path's folders is imported as; nothing for other files, as those in bin."""
    if entry.is_dir() or entry.suffix in (".py", ".so"):
        return entry.name.partition(".")[0]
    return ""


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
    if arguments[0] == "-m":
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return 0
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


def _is_third_party(name: str, module: types.ModuleType, standard: set[str], layer: str) -> bool:
    """Modules that an installation can replace; what came with the interpreter stays as it is."""
    if name in standard or name.partition(".")[0] in sys.stdlib_module_names:
        return False
    file = getattr(module, "__file__", None)
    return file is None or "site-packages" in file or bool(layer and file.startswith(layer))


def _load_beside(folder: str, name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(folder, f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
