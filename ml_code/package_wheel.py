"""The wheel of this package, which jobs install and which lies beside each served model."""

import io
import logging
import os
import tempfile
import zipfile
from pathlib import Path

from flit_core.wheel import make_wheel_in

PROJECT = Path(__file__).resolve().parents[1]
# Of all files in the wheel: the same code gives the same bytes. The first second that a zip file can hold.
_TIMESTAMP = "315532800"


def build_wheel(project: Path = PROJECT) -> tuple[str, bytes]:
    """File name and content."""
    os.environ["SOURCE_DATE_EPOCH"] = _TIMESTAMP  # how flit takes it
    logging.getLogger("flit_core").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        wheel = make_wheel_in(project / "pyproject.toml", Path(folder)).file
        return wheel.name, wheel.read_bytes()


def package_files(wheel: bytes) -> dict[str, bytes]:
    """The files that an installation puts on the import path, without the metadata."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        files = [name for name in archive.namelist() if not name.endswith("/")]
        names = [name for name in files if ".dist-info/" not in name]
        return {name: archive.read(name) for name in names}
