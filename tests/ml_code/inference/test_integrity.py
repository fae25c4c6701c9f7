"""A container serves the files of the release, or does not start."""

import hashlib
from pathlib import Path

import pytest

from ml_code.inference.integrity import MANIFEST, IntegrityError, check_files, manifest

FILES = {"model.pkl": b"model", "code/wsgi.py": b"app = None\n"}


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The unpacked archive of a release, in a container that has the manifest's SHA-256."""
    for name, content in {**FILES, MANIFEST: manifest(FILES)}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    monkeypatch.setenv("MODEL_MANIFEST_SHA256", hashlib.sha256(manifest(FILES)).hexdigest())
    return tmp_path


def test_the_files_of_the_release_are_served_beside_others(archive: Path) -> None:
    (archive / "added-by-sagemaker").write_text("x")
    check_files(archive)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_changed_or_missing_file_stops_the_start(archive: Path, name: str) -> None:
    (archive / name).write_bytes(b"other")
    with pytest.raises(IntegrityError, match=f"{name} is not as it was released"):
        check_files(archive)
    (archive / name).unlink()
    with pytest.raises(IntegrityError, match=f"{name} is not as it was released"):
        check_files(archive)


def test_without_a_release_nothing_is_compared(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (archive / "model.pkl").write_bytes(b"other")
    monkeypatch.delenv("MODEL_MANIFEST_SHA256")
    check_files(archive)
