import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from botocore.response import StreamingBody

from ml_code.execution import job_wheels, run_pipeline
from ml_code.execution.job_wheels import Pin, WheelsError
from ml_code.execution.run_settings import RunError
from tests.ml_code.execution.stubs import Stubs

WHEELS = {"mlflow_skinny-3.10.1-py3-none-any.whl": b"mlflow", "zipp-4.1.2-py3-none-any.whl": b"zipp"}


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


PINS = [
    Pin("mlflow-skinny", "3.10.1", frozenset({digest(b"mlflow"), digest(b"its source")})),
    Pin("zipp", "4.1.2", frozenset({digest(b"zipp")})),
]


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def test_wheels_survive_packing() -> None:
    assert job_wheels.unpack(job_wheels.pack(WHEELS), PINS) == WHEELS


def test_the_lock_is_read_as_pip_reads_it(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    lock.write_text("# why\nmlflow-skinny==3.10.1 \\\n    --hash=sha256:ab \\\n    --hash=sha256:cd\n")
    assert job_wheels.read_lock(lock) == [Pin("mlflow-skinny", "3.10.1", frozenset({"ab", "cd"}))]
    name = job_wheels.cache_name(lock)
    lock.write_text(lock.read_text().replace("ab", "ef"))
    assert job_wheels.cache_name(lock) != name


def test_a_job_installs_these_very_bytes() -> None:
    assert job_wheels.job_requirements(WHEELS, PINS).splitlines() == [
        "--no-index",
        "--find-links .",
        "--require-hashes",
        f"mlflow-skinny==3.10.1 --hash=sha256:{digest(b'mlflow')}",
        f"zipp==4.1.2 --hash=sha256:{digest(b'zipp')}",
    ]


@pytest.mark.parametrize(
    ("tar_bytes", "sentence"),
    [
        (
            job_wheels.pack({**WHEELS, "zipp-4.1.2-py3-none-any.whl": b"evil"}),
            f"zipp-4.1.2.* {digest(b'evil')}",
        ),
        (
            job_wheels.pack({**WHEELS, "more-1-py3-none-any.whl": b""}),
            "more-1-py3-none-any.whl is not in requirements-job.lock",
        ),
        (
            job_wheels.pack({**WHEELS, "zipp-4.1.2-py2-none-any.whl": b"zipp"}),
            "zipp-4.1.2-py[23].* or there twice",
        ),
        (
            job_wheels.pack({**WHEELS, "../entry_point.py": b""}),
            "'../entry_point.py' is not the name of a wheel",
        ),
        (
            job_wheels.pack({**WHEELS, "../zipp-4.1.2-py3-none-any.whl": b"zipp"}),
            "'../zipp-.*' is not the name of a wheel",
        ),
        (
            job_wheels.pack({"zipp-4.1.2-py3-none-any.whl": b"zipp"}),
            "there is no wheel of mlflow-skinny==3.10.1",
        ),
        (b"no tar", "it is not a tar"),
    ],
)
def test_other_bytes_than_the_lock_s_are_refused(tar_bytes: bytes, sentence: str) -> None:
    with pytest.raises(WheelsError, match=sentence):
        job_wheels.unpack(tar_bytes, PINS)


def test_a_link_is_refused() -> None:
    link = tarfile.TarInfo("zipp-4.1.2-py3-none-any.whl")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with pytest.raises(WheelsError, match=r"'zipp-4.1.2-py3-none-any.whl' is not a file"):
        job_wheels.unpack(tar_of((link, b"")), PINS)


def test_a_changed_cache_fails_the_build_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_wheels, "read_lock", lambda: PINS)
    body = job_wheels.pack({**WHEELS, "zipp-4.1.2-py3-none-any.whl": b"evil"})
    stubs = Stubs()
    stubs.s3.add_response("list_objects_v2", {"KeyCount": 1})
    stubs.s3.add_response("get_object", {"Body": StreamingBody(io.BytesIO(body), len(body))})
    with pytest.raises(
        RunError,
        match=r"s3://artifacts/wheels/.*/wheels.tar is not what a build put there: zipp-",
    ):
        run_pipeline.get_wheels(stubs.clients.s3, "artifacts")


def test_a_download_has_the_lock_s_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    (tmp_path / "zipp-4.1.2-py3-none-any.whl").write_bytes(b"evil")
    lock = tmp_path / "a.lock"
    lock.write_text(f"zipp==4.1.2 --hash=sha256:{digest(b'zipp')}\n")
    with pytest.raises(
        WheelsError, match=r"(?s)pip cannot download the wheels of a.lock: .*MATCH THE HASHES"
    ):
        job_wheels.download(lock)
