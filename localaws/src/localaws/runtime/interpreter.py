"""The work of a Python interpreter around a program, for one in a fork; runs in the image's Python, too."""

import atexit
import os
import runpy
import sys
import threading
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from localaws.runtime import forking


def take_over(environment: Mapping[str, str], descriptors: Sequence[int]) -> None:
    # First out of the way: one of them may have the number of another's place.
    moved = [os.dup(descriptor) for descriptor in descriptors]
    for standard, descriptor in enumerate(moved):
        os.dup2(descriptor, standard)
    for descriptor in {*moved, *descriptors} - set(range(forking.STANDARD_DESCRIPTORS)):
        os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, write_through=True)  # type: ignore[union-attr]
    os.environ.clear()
    os.environ.update(environment)


def forget_state() -> None:
    """Reset the state that a process of its own would not share with its siblings."""
    import random
    import tempfile

    random.seed()
    tempfile.tempdir = None
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def run(arguments: Sequence[str]) -> int:
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


def exit_code(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def finish(code: int) -> NoReturn:
    """End as the interpreter does: threads, exit functions, buffers; without freeing every object."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
