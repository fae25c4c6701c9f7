"""The Python environment of SageMaker's scikit-learn image 1.9-0: Python 3.12 and the very packages that the image has.

It is made once for a user, in the user's cache folder, and all local AWSs share it. It takes a minute or more, so it is made
in the background. Where it cannot be made, `wait` says None and `description` why: the caller has something simpler.
"""

import fcntl
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localaws.runtime.image_container import ImageContainer, without_isolation
from localaws.runtime.processes import ProcessTable

LOG = logging.getLogger("localaws.image")
DATA = Path(__file__).with_name("sklearn_image")
VERSION = "3.12"
# Left out: Python has had it for long, and the package of that name breaks the standard library's.
LEFT_OUT = ("typing",)
# What AWS's own Dockerfile changes after the installation: file, text, new text.
PATCHES = (
    ("sagemaker_containers/_mapping.py", "collections.Mapping", "collections.abc.Mapping"),
    ("sagemaker_inference/decoder.py", "allow_pickle=True", "allow_pickle=False"),
)
RECIPE = 1  # raise it when the same packages are to be installed in another way
MADE = "made"  # the file that is written last
LOCK_POLL_SECONDS = 0.5
MAKE_TIMEOUT_SECONDS = 1800.0
KEPT_LINES = 5
STAND_IN = (
    "NOT AWS'S: jobs run in this machine's own packages, endpoints in a small server of the local AWS, "
    "which is no evidence for AWS"
)


class NotMade(Exception):
    """The environment cannot be had on this machine; the text says why and what to do."""


class ImageEnvironment:
    """`prepare` starts the work; `wait` returns when it is done, however it went."""

    def __init__(self, processes: ProcessTable, cache: Path | None = None) -> None:
        self.folder = (cache or user_cache()) / "images" / f"sklearn-1.9-0-{_key()}"
        self.description = "not asked for yet"
        self._processes = processes
        self._container: ImageContainer | None = None
        self._started = threading.Lock()
        self._done = threading.Event()
        self._closed = threading.Event()

    @property
    def is_ready(self) -> bool:
        return self._done.is_set()

    def prepare(self) -> None:
        """Begin to make the environment in the background, at the first call."""
        if self._started.acquire(blocking=False):
            self.description = f"being made in {self.folder}"
            threading.Thread(target=self._prepare, name="image-environment", daemon=True).start()

    def wait(self) -> ImageContainer | None:
        """The starter of commands in the image's environment; None without an environment."""
        self.prepare()
        self._done.wait()
        return self._container

    def close(self) -> None:
        self._closed.set()

    def _prepare(self) -> None:
        try:
            with self._alone():
                if not self._is_made():
                    self._make()
            self._container = ImageContainer(self.folder, without_isolation(self.folder))
            self.description = self._container.description
            level = logging.INFO if self._container.isolated else logging.WARNING
            LOG.log(level, "jobs and endpoints run in %s", self.description)
        except (NotMade, OSError, subprocess.SubprocessError) as error:
            self.description = f"{STAND_IN} ({error})"
            LOG.warning("%s", self.description)
        finally:
            self._done.set()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock: no other local AWS makes the environment at the same time."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with self.folder.with_name(f"{self.folder.name}.lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if self._closed.wait(LOCK_POLL_SECONDS):
                        raise NotMade("the local AWS was stopped") from None
            yield

    def _is_made(self) -> bool:
        if not (self.folder / MADE).is_file():
            return False
        return _runs(self.folder / "bin" / "python")  # its interpreter may have been removed since

    def _make(self) -> None:
        interpreter = find_interpreter(_interpreters())
        if shutil.which(os.environ.get("CC", "cc")) is None and shutil.which("gcc") is None:
            raise NotMade(
                "the image's sagemaker-containers needs a C compiler; install gcc or name one by CC"
            )
        LOG.info("making the image's environment in %s, with %s", self.folder, interpreter)
        shutil.rmtree(
            self.folder, ignore_errors=True
        )  # a half-made one: scripts name their folder, so none is moved
        python = str(self.folder / "bin" / "python")
        packages = self.folder / "packages.txt"
        self._run([str(interpreter), "-m", "venv", str(self.folder)])
        packages.write_text("".join(f"{line}\n" for line in package_lines()))
        self._run([python, "-m", "pip", "install", "--no-deps", "--no-input", "-r", str(packages)])
        (site_packages,) = self.folder.glob("lib/python*/site-packages")
        for name, text, new_text in PATCHES:
            _patch(site_packages / name, text, new_text)
        layer = site_packages / "sagemaker_sklearn_container"
        layer.mkdir()
        (layer / "__init__.py").touch()
        for name in ("serving.py", "training.py"):
            shutil.copyfile(DATA / name, layer / name)
        with tempfile.TemporaryDirectory() as base:  # importing the toolkits makes folders
            modules = "sklearn, sagemaker_containers.cli.serve, sagemaker_sklearn_container.training"
            self._run([python, "-c", f"import {modules}"], SAGEMAKER_BASE_DIR=base)
        (self.folder / MADE).touch()

    def _run(self, command: list[str], **variables: str) -> None:
        kept: list[str] = []
        hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER")
        environment = {name: value for name, value in os.environ.items() if name not in hidden}
        process = self._processes.start(
            command,
            environment={**environment, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **variables},
            directory=self.folder.parent,
            on_line=_keep_last(kept),
        )
        try:
            code = process.wait(MAKE_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()
            raise
        if code != 0:
            words = " ".join(command[1:4])
            raise NotMade(f"python {words} ended with {code}: {' / '.join(kept)}")


def user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "localaws"


def package_lines() -> list[str]:
    lines = (DATA / "packages.txt").read_text().splitlines()
    return [line for line in lines if not line.startswith("#") and line.split("==")[0] not in LEFT_OUT]


def find_interpreter(candidates: Iterable[Path]) -> Path:
    """The first that runs: a shim of pyenv is there for versions that are not chosen, and fails."""
    tried = []
    for candidate in candidates:
        if _runs(candidate):
            return candidate
        tried.append(str(candidate))
    raise NotMade(
        f"the image has Python {VERSION} and none was found here that runs (tried: {', '.join(tried) or 'none'}); "
        f"install python{VERSION} with its venv"
    )


def _interpreters() -> Iterator[Path]:
    name = f"python{VERSION}"
    if sys.version_info[:2] == (3, 12):
        yield Path(sys.executable)
    yield from (Path(folder, name) for folder in os.get_exec_path() if Path(folder, name).is_file())
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{VERSION}*/bin/{name}"))
    yield from sorted(Path.home().glob(f".local/share/uv/python/cpython-{VERSION}*/bin/{name}"))


def _runs(python: Path) -> bool:
    program = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [python, "-c", program], check=False, capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.strip() == VERSION


def _patch(path: Path, text: str, new_text: str) -> None:
    content = path.read_text()
    if text not in content:
        raise NotMade(f"{path.name} has no {text!r} to be replaced: it is not the release that the image has")
    path.write_text(content.replace(text, new_text))


def _keep_last(kept: list[str]) -> Callable[[str], None]:
    def keep(line: str) -> None:
        LOG.debug("%s", line)
        kept[:] = [*kept, line][-KEPT_LINES:]

    return keep


def _key() -> str:
    digest = hashlib.sha256(f"{RECIPE}".encode())
    for path in sorted(path for path in DATA.iterdir() if path.is_file()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]
