from pathlib import Path
from typing import Any

import pytest

from ml_code.execution import stack_assertions
from ml_code.execution.content import content_hash
from ml_code.execution.stack_assertions import AssertionsFailedError


class Bucket:
    """The two calls of S3, with a set of keys behind them."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    def list_objects_v2(self, *, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, Any]:
        return {"KeyCount": sum(key.startswith(Prefix) for key in self.keys)}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        self.keys.add(Key)


NO_BUCKET: Any = Bucket()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tests/stacks").mkdir(parents=True)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/stack.py").write_text("GOOD = True\n")
    program = "import stacks.stack as stack\n\ndef test_it() -> None:\n    assert stack.GOOD, 'no bucket'\n"
    (tmp_path / "tests/stacks/test_it.py").write_text(program)
    (tmp_path / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    return tmp_path


def test_what_passed_is_not_run_again_until_it_changes(project: Path) -> None:
    bucket: Any = Bucket()
    with stack_assertions.started(bucket, "artifacts", project) as assertions:
        assert assertions.process is not None
        assertions.wait()
    assert len(bucket.keys) == 1
    (project / "models").mkdir()
    (project / "models/model.yaml").write_text("seed: 2")
    with stack_assertions.started(bucket, "artifacts", project) as assertions:
        assert assertions.process is None
        assertions.wait()
    (project / "stacks/stack.py").write_text("GOOD = 1\n")
    with stack_assertions.started(bucket, "artifacts", project) as assertions:
        assert assertions.process is not None
        assertions.wait()
    assert len(bucket.keys) == 2


def test_a_failure_is_raised_with_the_output_and_not_remembered(project: Path) -> None:
    (project / "stacks/stack.py").write_text("GOOD = False\n")
    bucket: Any = Bucket()
    with (
        pytest.raises(AssertionsFailedError, match=r"(?s)tests/stacks failed: exit status 1.*no bucket"),
        stack_assertions.started(bucket, "artifacts", project) as assertions,
    ):
        assertions.wait()
    assert not bucket.keys


def test_the_tests_end_with_the_run(project: Path) -> None:
    (project / "tests/stacks/test_it.py").write_text("import time\n\ndef test_it():\n    time.sleep(60)\n")
    with stack_assertions.started(NO_BUCKET, "artifacts", project) as assertions:
        process = assertions.process
        assertions.check()
        assert process is not None
        assert process.poll() is None
    assert process.poll() is not None


def test_every_input_is_there() -> None:
    project = Path(stack_assertions.__file__).parents[2]
    assert [name for name in stack_assertions.INPUTS if not (project / name).exists()] == []


def test_a_changed_name_is_another_content(project: Path) -> None:
    before = content_hash(project, stack_assertions.INPUTS)
    (project / "stacks/stack.py").rename(project / "stacks/other.py")
    assert content_hash(project, stack_assertions.INPUTS) != before
