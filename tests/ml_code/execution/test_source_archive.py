import io
import tarfile
from pathlib import Path

import pytest

from ml_code.execution import source_archive

FILES = {"entry_point.py": b"print()", "models/a/model.yaml": b"name: a"}
WHEELS = {"mlflow_skinny-3.10.1-py3-none-any.whl": b"wheel"}


def test_the_same_content_gives_the_same_bytes() -> None:
    first = source_archive.build_source_archive(FILES, "a==1\n", WHEELS)
    second = source_archive.build_source_archive(dict(reversed(FILES.items())), "a==1\n", WHEELS)
    assert first == second
    assert source_archive.build_source_archive(FILES, "a==2\n", WHEELS) != first


def test_a_job_finds_requirements_beside_the_wheels() -> None:
    """At the root, SageMaker's training toolkit would install them before the job."""
    archive = source_archive.build_source_archive(FILES, "a==1\n", WHEELS)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        assert tar.getnames() == [*sorted(FILES), f"wheels/{next(iter(WHEELS))}", "wheels/requirements.txt"]
        requirements = tar.extractfile("wheels/requirements.txt")
        assert requirements is not None
        assert requirements.read() == b"a==1\n"


def test_the_entry_point_and_the_description_of_the_model_travel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models/a/data").mkdir(parents=True)
    (tmp_path / "models/a/model.yaml").write_text("name: a")
    (tmp_path / "models/a/data/rows.csv").write_text("large")
    (tmp_path / "models/b").mkdir()
    (tmp_path / "models/b/model.yaml").write_text("name: b")
    assert set(source_archive.job_files("a", tmp_path)) == {"entry_point.py", "models/a/model.yaml"}
