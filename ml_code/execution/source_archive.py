"""One commit's code as jobs take it: source.tar.gz with the package's wheel and those that the image lacks."""

import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ml_code.spec import MODEL_YAML, MODELS

PACKAGE = Path(__file__).parents[1]
REQUIREMENTS = PACKAGE / "requirements.txt"
ENTRY_POINT = PACKAGE / "jobs" / "entry_point.py"
# Python of SageMaker's scikit-learn 1.9 image, and the C library that it has at least.
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
TARGET = ("--python-version=3.12", "--implementation=cp", *(f"--platform={name}" for name in PLATFORMS))
# Not packed: the image has them. Its protobuf is too old for MLflow and is packed.
IN_IMAGE = frozenset(
    {
        *("boto3", "botocore", "jmespath", "s3transfer", "urllib3", "certifi", "six", "python_dateutil"),
        *("numpy", "pandas", "pyarrow", "scikit_learn", "scipy", "pyyaml", "werkzeug"),
        *("cryptography", "cffi", "pycparser"),
    }
)


class WheelsError(Exception):
    """The wheels cannot be had."""


def job_files(project: Path = Path()) -> dict[str, bytes]:
    """What a job needs besides wheels, by path in the archive: its entry point and the models' descriptions."""
    specs = {
        path.relative_to(project).as_posix(): path for path in (project / MODELS).glob(f"*/{MODEL_YAML}")
    }
    return {
        ENTRY_POINT.name: ENTRY_POINT.read_bytes(),
        **{name: path.read_bytes() for name, path in specs.items()},
    }


def job_requirements(wheels: Mapping[str, bytes]) -> str:
    """All of the wheels, from beside this file and from nowhere else."""
    pins = ["==".join(name.split("-")[:2]) for name in sorted(wheels)]
    return "\n".join(["--no-index", "--find-links .", *pins]) + "\n"


def build_source_archive(files: Mapping[str, bytes], requirements: str, wheels: Mapping[str, bytes]) -> bytes:
    """source.tar.gz; the same content gives the same bytes."""
    members = {
        **files,
        "wheels/requirements.txt": requirements.encode(),
        **{f"wheels/{name}": content for name, content in wheels.items()},
    }
    # Wheels are compressed, and the rest is small: another compression would only cost time.
    return gzip.compress(pack(members), compresslevel=0, mtime=0)


def pack(files: Mapping[str, bytes]) -> bytes:
    """A tar without times and owners."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            tar.addfile(member, io.BytesIO(files[name]))
    return stream.getvalue()


def unpack(tar_bytes: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(tar_bytes)) as tar:
        return {member.name: _read(tar, member) for member in tar.getmembers()}


def requirements_hash(requirements: str) -> str:
    """Names the set of wheels; another target or selection needs another name too."""
    text = "\n".join([requirements, *TARGET, *sorted(IN_IMAGE)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def download_wheels(requirements: Path = REQUIREMENTS) -> dict[str, bytes]:
    """From the package index, for the image's Python and not this one's."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", *TARGET]
        download = subprocess.run(
            [*command, "--requirement", str(requirements), "--dest", folder],
            capture_output=True,
            text=True,
            check=False,
        )
        if download.returncode:
            raise WheelsError(f"pip cannot download the wheels of {requirements}: {download.stderr.strip()}")
        wheels = Path(folder).glob("*.whl")
        return {path.name: path.read_bytes() for path in wheels if _package(path.name) not in IN_IMAGE}


def _package(wheel_name: str) -> str:
    return wheel_name.partition("-")[0].lower()


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = tar.extractfile(member)
    assert stream is not None, member.name
    return stream.read()
