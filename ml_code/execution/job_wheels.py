"""The wheels that a job adds to SageMaker's image: those of requirements-job.lock, each with a hash that the lock has."""

import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ml_code.estimators.libraries import LIBRARIES, library_of

LOCK = Path(__file__).parents[2] / "requirements-job.lock"
# What only a preprocess job of several instances needs (requirements-cluster.txt).
CLUSTER_PACKAGES = (
    *(
        "dask",
        "distributed",
        "fsspec",
        "locket",
        "msgpack",
        "partd",
        "sortedcontainers",
        "tblib",
        "toolz",
        "tornado",
    ),
    "zict",
)
# Python of SageMaker's scikit-learn 1.9 image, and the C library that it has at least.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
TARGET = ("--python-version=3.12", "--implementation=cp", *(f"--platform={name}" for name in PLATFORMS))


class WheelsError(Exception):
    """The wheels cannot be had, or are not those of the lock."""


@dataclass(frozen=True)
class Pin:
    name: str
    version: str
    hashes: frozenset[str]


def read_lock(path: Path = LOCK) -> list[Pin]:
    """Lines as pip takes them: `name==version`, then its hashes; no markers, as there is one target only."""
    pins = []
    for line in path.read_text().replace("\\\n", " ").splitlines():
        if line and not line.startswith("#"):
            requirement, *options = line.split()
            name, _, version = requirement.partition("==")
            hashes = frozenset(option.removeprefix("--hash=sha256:") for option in options)
            pins.append(Pin(name, version, hashes))
    return pins


def job_pins(estimator: str, *, is_cluster: bool, lock: Path = LOCK) -> list[Pin]:
    """The pins that travel with the jobs of a model: without other estimators' libraries, and Dask for a cluster only."""
    others = {each.distribution for each in LIBRARIES.values() if each != library_of(estimator)}
    if not is_cluster:
        others |= set(CLUSTER_PACKAGES)
    return [pin for pin in read_lock(lock) if pin.name not in others]


def cache_name(lock: Path = LOCK) -> str:
    """Names the set of wheels: another lock or target needs another name."""
    return hashlib.sha256("\n".join([lock.read_text(), *TARGET]).encode()).hexdigest()[:16]


def download(lock: Path = LOCK) -> dict[str, bytes]:
    """Download the lock's wheels for the image's Python; return their contents by file name."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        options = ["--no-deps", "--require-hashes", "--only-binary=:all:", *TARGET]
        done = subprocess.run(
            [*command, *options, "--requirement", str(lock), "--dest", folder],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise WheelsError(f"pip cannot download the wheels of {lock.name}: {done.stderr.strip()}")
        wheels = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    check(wheels, read_lock(lock))
    return wheels


def check(wheels: Mapping[str, bytes], pins: list[Pin]) -> None:
    """Raise WheelsError unless there is one wheel for each pin, with a hash of the lock, and nothing else."""
    waiting = {_distribution(pin.name): pin for pin in pins}
    for file_name, content in wheels.items():
        if Path(file_name).name != file_name or not file_name.endswith(".whl"):
            raise WheelsError(f"{file_name!r} is not the name of a wheel")
        pin = waiting.pop(_distribution(file_name.partition("-")[0]), None)
        if pin is None:
            raise WheelsError(f"{file_name} is not in {LOCK.name}, or there twice")
        digest = hashlib.sha256(content).hexdigest()
        if digest not in pin.hashes:
            raise WheelsError(f"{file_name} has the SHA-256 {digest}, which {LOCK.name} does not have")
    if waiting:
        missing = ", ".join(f"{pin.name}=={pin.version}" for pin in waiting.values())
        raise WheelsError(f"there is no wheel of {missing}")


def wheels_of(pins: Iterable[Pin], wheels: Mapping[str, bytes]) -> dict[str, bytes]:
    names = {_distribution(pin.name) for pin in pins}
    return {
        name: content for name, content in wheels.items() if _distribution(name.partition("-")[0]) in names
    }


def job_requirements(wheels: Mapping[str, bytes], pins: list[Pin]) -> str:
    """The requirements of a job: these very wheels, from the folder beside the file and from nowhere else."""
    digests = {_distribution(name.partition("-")[0]): _digest(content) for name, content in wheels.items()}
    lines = [f"{pin.name}=={pin.version} --hash=sha256:{digests[_distribution(pin.name)]}" for pin in pins]
    return "\n".join(["--no-index", "--find-links .", "--require-hashes", *lines]) + "\n"


def pack(files: Mapping[str, bytes]) -> bytes:
    """A tar without times and owners."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            tar.addfile(member, io.BytesIO(files[name]))
    return stream.getvalue()


def unpack(tar_bytes: bytes, pins: list[Pin]) -> dict[str, bytes]:
    """The wheels of the pins; raises WheelsError when the tar has anything else."""
    wheels = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(tar_bytes), mode="r:") as tar:
            for member in tar:
                stream = tar.extractfile(member) if member.isfile() else None
                if stream is None:
                    raise WheelsError(f"{member.name!r} is not a file")
                wheels[member.name] = stream.read()
    except tarfile.TarError as error:
        raise WheelsError(f"it is not a tar: {error}") from error
    check(wheels, pins)
    return wheels


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _distribution(name: str) -> str:
    """A package's name as the file names of wheels have it."""
    return name.replace("-", "_").replace(".", "_").lower()
