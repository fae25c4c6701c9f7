"""One commit's code as jobs take it: source.tar.gz with the package's wheel and those that the image lacks."""

import gzip
from collections.abc import Mapping
from pathlib import Path

from ml_code.execution.job_wheels import pack
from ml_code.spec import MODEL_YAML, find_model

ENTRY_POINT = Path(__file__).parents[1] / "jobs" / "entry_point.py"


def job_files(model: str, project: Path = Path()) -> dict[str, bytes]:
    """The files of a job besides wheels, by path in the archive: its entry point and the model's description."""
    spec = find_model(project, model) / MODEL_YAML
    return {
        ENTRY_POINT.name: ENTRY_POINT.read_bytes(),
        spec.relative_to(project).as_posix(): spec.read_bytes(),
    }


def build_source_archive(files: Mapping[str, bytes], requirements: str, wheels: Mapping[str, bytes]) -> bytes:
    """source.tar.gz; the same content gives the same bytes."""
    members = {
        **files,
        "wheels/requirements.txt": requirements.encode(),
        **{f"wheels/{name}": content for name, content in wheels.items()},
    }
    # Wheels are compressed, and the rest is small: another compression would only cost time.
    return gzip.compress(pack(members), compresslevel=0, mtime=0)
