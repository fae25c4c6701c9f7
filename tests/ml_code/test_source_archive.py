import io
import tarfile

from ml_code import source_archive

CODE = {"ml_code/a.py": b"print()", "ml_code/model.yaml": b"name: a"}
WHEELS = {"mlflow_skinny-3.10.1-py3-none-any.whl": b"wheel"}


def test_the_same_content_gives_the_same_bytes() -> None:
    first = source_archive.build_source_archive(CODE, "a==1\n", WHEELS)
    second = source_archive.build_source_archive(dict(reversed(CODE.items())), "a==1\n", WHEELS)
    assert first == second
    assert source_archive.build_source_archive(CODE, "a==2\n", WHEELS) != first


def test_a_job_finds_code_requirements_and_wheels_at_the_root() -> None:
    archive = source_archive.build_source_archive(CODE, "# why\na==1\n\nb==2\n", WHEELS)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        assert tar.getnames() == [*sorted(CODE), "requirements.txt", f"wheels/{next(iter(WHEELS))}"]
        requirements = tar.extractfile("requirements.txt")
        assert requirements is not None
        assert requirements.read() == b"--no-index\n--find-links wheels\na==1\nb==2\n"


def test_the_model_code_travels_and_nothing_else() -> None:
    names = source_archive.code_files()
    assert {"ml_code/model.yaml", "ml_code/steps/train.py", "ml_code/job.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]


def test_wheels_survive_packing() -> None:
    assert source_archive.unpack(source_archive.pack(WHEELS)) == WHEELS


def test_other_requirements_have_other_wheels() -> None:
    assert source_archive.requirements_hash("a==1") != source_archive.requirements_hash("a==2")
