"""Ways around the approval: each releases nothing, or exactly what was approved."""

import gzip
import io
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from ml_code.contracts import PRODUCTION
from ml_code.package_wheel import build_wheel, package_files
from ml_code.release import archives
from ml_code.release.approval_page import RESULT_FILE, write_exports
from ml_code.release.archives import ArchiveError
from ml_code.release.delivery_record import DeliveryError
from ml_code.release.pushed_code import MAX_BYTES, PushedCodeError
from ml_code.release.records import RecordError, alias_fault
from ml_code.release.training_record import ClaimError
from ml_code.spec import ModelSpec
from ml_code.verification.verify import PAGE
from ml_code.write_once import WriteOnceError, put_once, sha256
from tests.ml_code.release.world import BUCKET, PIPELINE, STARTED, World

STAGED = {"STAGE": "staging", "ENDPOINT_NAME": "factory-staging"}


@pytest.fixture
def world(empty_registry: Path, tmp_path: Path, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> World:
    shutil.copy(empty_registry, tmp_path)
    return World(tmp_path, spec, monkeypatch)


def training(**changes: object) -> Callable[[World], None]:
    return lambda world: world.aws.sagemaker.training.update(changes)


def exported(**changes: str) -> Callable[[World], None]:
    return lambda world: world.aws.exported.update(changes)


def another_version(world: World) -> None:
    world.aws.version = world.register()


def another_execution(world: World) -> None:
    world.aws.sagemaker.training["PipelineExecutionArn"] = f"{PIPELINE}/execution/other"


def another_pipeline(world: World) -> None:
    world.aws.sagemaker.training["PipelineExecutionArn"] = f"{PIPELINE}-of-mine/execution/x"


@pytest.mark.parametrize("stage", [STAGED, {}], ids=["staging", "production"])
@pytest.mark.parametrize(
    ("claim", "said"),
    [
        (another_version, "the execution of version 2 in the registry is"),
        (another_execution, "the execution of version 1 in the registry is"),
        (another_pipeline, "the pipeline of the claimed execution is 'pipeline/factory-of-mine'"),
        (training(PipelineExecutionStatus="Failed"), "the status of .* is 'Failed'"),
        (training(CreationTime=STARTED - timedelta(hours=1)), "before this delivery's Build"),
        (training(Parameters={"CommitId": "0" * 40}), "CommitId of .* is '0000"),
        (training(Gate=[0.0, -0.01]), r"the gate in the definition of .* is \[0\.0, -0\.01\]"),
        (
            training(Steps=[{"StepName": "Register", "StepStatus": "Succeeded"}]),
            "the outcome of Gate .* is None",
        ),
        (
            training(Steps=[{"StepName": "Gate", "Metadata": {"Condition": {"Outcome": "False"}}}]),
            "the outcome of Gate .* is 'False'",
        ),
    ],
)
def test_a_claim_that_no_record_bears_out_releases_nothing(
    world: World, claim: Callable[[World], None], said: str, stage: dict[str, str]
) -> None:
    version = world.register()
    world.tamper = lambda: claim(world)
    with pytest.raises(ClaimError, match=said):
        world.deliver(version, **stage)
    assert world.aws.sagemaker.names == ([], [], {})


@pytest.mark.parametrize("claimed", ["", "0", '1", "name": "PIP_INDEX_URL', "1; id"])
def test_a_version_that_is_no_number_is_refused(world: World, claimed: str) -> None:
    version = world.register()

    def claim() -> None:
        world.aws.version = claimed

    world.tamper = claim
    with pytest.raises(DeliveryError, match="MODEL_VERSION of action Build"):
        world.deliver(version)


def test_a_training_of_another_code_than_the_version_names_is_refused(world: World) -> None:
    version = world.register()
    world.client.set_model_version_tag("digits", version, "code_uri", "s3://artifacts/code/other/")
    world.aws.objects["s3://artifacts/code/other/source.tar.gz"] = world.source_archive()
    world.tamper = lambda: world.aws.sagemaker.training["Parameters"].update(CodeUri="s3://artifacts/code/x/")
    with pytest.raises(ClaimError, match="CodeUri of"):
        world.deliver(version)


def test_production_serves_what_was_approved_though_the_registry_changed(world: World) -> None:
    version = world.register()

    def replace_the_model() -> None:
        file = next(world.folder.glob("model-*/model.pkl"))
        file.write_bytes(b"foreign")

    world.tamper = replace_the_model
    world.deliver(version)
    (record,) = world.records.read()
    assert record.archive_sha256 == world.aws.exported["ARCHIVE_SHA256"]
    assert b"foreign" not in gzip.decompress(world.aws.objects[record.archive_uri])


@pytest.mark.parametrize("name", ["model.tar.gz", "test.csv"])
def test_a_staged_object_that_changed_after_the_approval_is_refused(world: World, name: str) -> None:
    version = world.register()

    def overwrite() -> None:
        (uri,) = (uri for uri in world.aws.objects if "/serving/staging/" in uri and uri.endswith(name))
        world.aws.objects[uri] = b"foreign"

    world.tamper = overwrite
    with pytest.raises(ArchiveError, match=rf"{name} has SHA-256 .* was approved"):
        world.deliver(version)
    assert world.aws.sagemaker.names == ([], [], {})


def test_an_approval_of_other_bytes_than_were_staged_finds_none(world: World) -> None:
    version = world.register()
    world.tamper = lambda: exported(ARCHIVE_SHA256="0" * 64)(world)
    with pytest.raises(ArchiveError, match="is gone"):
        world.deliver(version)


def test_what_was_written_once_is_not_overwritten(world: World) -> None:
    put_once(world.aws, BUCKET, "code/a", b"1")
    put_once(world.aws, BUCKET, "code/a", b"1")
    with pytest.raises(WriteOnceError, match="was written before with other bytes"):
        put_once(world.aws, BUCKET, "code/a", b"2")


def test_a_rollback_serves_the_very_bytes_or_nothing(world: World) -> None:
    world.deliver(world.register())
    (record,) = world.records.read()
    world.aws.objects[record.archive_uri] = b"foreign"
    with pytest.raises(ArchiveError, match="the archive was changed, so nothing is released"):
        archives.read(world.aws, archives.released(record))


def test_an_alias_that_someone_moved_is_a_fault(world: World) -> None:
    world.deliver(world.register())
    (record,) = world.records.read()
    assert alias_fault(world.client, "digits", record) == ""
    world.register()
    world.client.set_registered_model_alias("digits", PRODUCTION, "2")
    assert "names version 2, but the newest release is of version 1" in alias_fault(
        world.client, "digits", record
    )


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"\xff", b'{"version": 1}'])
def test_a_malformed_record_is_named(world: World, body: bytes) -> None:
    world.aws.objects[f"s3://{BUCKET}/releases/digits/2026.json"] = body
    with pytest.raises(RecordError, match=r"s3://artifacts/releases/digits/2026\.json is no record"):
        world.records.read()


def test_the_approver_reads_what_the_deployed_code_measured(world: World) -> None:
    world.deliver(world.register())
    version = world.register()
    found = next(uri for uri in reversed(world.aws.objects) if uri.endswith("source.tar.gz"))
    world.aws.objects[found] = world.source_archive(threshold=0.5)

    def weaken() -> None:
        world.aws.sagemaker.training["Gate"] = [0.5, -world.spec.gate.tolerance]

    world.tamper = weaken
    world.deliver(version, **STAGED)
    exports = RESULT_FILE.read_text()
    assert "accuracy 1.0000, production: 1.0000 (version 1)" in exports
    assert f"CHANGED: threshold {world.spec.gate.threshold} to 0.5" in exports
    assert "by Ann <ann@example.com>" in exports
    page = PAGE.read_text()
    assert "<h2>What is to be approved</h2>" in page
    assert "<li>changed models/example/model.yaml</li>" in page
    assert "wheels/" not in page
    assert "Train more" in page
    (published,) = (uri for uri in world.aws.objects if "/approval-" in uri)
    assert published.startswith("s3://artifacts/serving/staging/digits/2/")
    assert world.aws.objects[published] == PAGE.read_bytes()
    archive = next(uri for uri in world.aws.objects if "/staging/digits/2/" in uri and uri.endswith("gz"))
    assert f"ARCHIVE_SHA256={sha256(world.aws.objects[archive])}" in exports


def test_no_exported_value_is_read_by_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    value = "$(touch pwned); 'a' \"b\" `id` é"
    write_exports({"APPROVAL_SUMMARY": value})
    script = '. ./release-result.env; printf %s "$APPROVAL_SUMMARY"'
    read = subprocess.run(["sh", "-c", script], stdout=subprocess.PIPE, check=True)
    assert read.stdout.decode() == value
    assert not (tmp_path / "pwned").exists()


def test_the_approver_reads_which_files_of_the_package_differ(world: World) -> None:
    world.deliver(world.register())
    version = world.register()
    found = next(uri for uri in reversed(world.aws.objects) if uri.endswith("source.tar.gz"))
    name, wheel = build_wheel()
    world.aws.objects[found] = world.source_archive(
        {name: with_file(wheel, "ml_code/jobs/train.py", b"other")}
    )
    world.deliver(version, **STAGED)
    assert "<ul><li>changed ml_code/jobs/train.py</li></ul>" in PAGE.read_text()


def with_file(wheel: bytes, name: str, content: bytes) -> bytes:
    files = {**package_files(wheel), name: content}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, body in files.items():
            archive.writestr(path, body)
    return stream.getvalue()


def test_an_endpoint_that_answers_as_another_version_is_shown_to_the_approver(world: World) -> None:
    world.deliver(world.register())
    foreign = world.register()
    world.release_by_hand(foreign)
    newest = f"s3://{BUCKET}/{world.newest_record_key()}"
    del world.aws.objects[newest]
    world.deliver(world.register(), **STAGED)
    assert "answers as version 2, the newest release is of 1" in RESULT_FILE.read_text()


def tar_of(member: tarfile.TarInfo, content: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return gzip.compress(stream.getvalue())


def link() -> tarfile.TarInfo:
    member = tarfile.TarInfo("models/digits/model.yaml")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    return member


def encrypted_wheel() -> bytes:
    """By its flags, in the member's header and in the directory."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("ml_code/__init__.py", b"x")
    wheel = bytearray(stream.getvalue())
    wheel[6] |= 1
    wheel[wheel.index(b"PK\1\2") + 8] |= 1
    return bytes(wheel)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (b"no archive", "is not an archive of code"),
        (gzip.compress(b"x" * 100), "is not an archive of code"),
        (gzip.compress(b"\0" * (MAX_BYTES + 1)), "unpacks to more than"),
        (tar_of(link()), "is not a file"),
        (tar_of(tarfile.TarInfo("wheels/ml_code-1.whl"), b"no wheel"), "is not an archive of code"),
        (tar_of(tarfile.TarInfo("wheels/x.whl"), encrypted_wheel()), "is not an archive of code"),
        (tar_of(tarfile.TarInfo("models/digits/model.yaml"), b"\xff"), r"model\.yaml of the push"),
        (
            tar_of(tarfile.TarInfo("models/digits/model.yaml"), b"a: !!python/object:x"),
            r"model\.yaml of the push",
        ),
        (tar_of(tarfile.TarInfo("anything")), "the push describes the model none"),
    ],
    ids=["text", "no tar", "bomb", "link", "wheel", "encrypted", "bytes", "object", "nothing"],
)
def test_code_that_is_none_is_refused_in_one_sentence(world: World, code: bytes, said: str) -> None:
    version = world.register()
    (uri,) = (uri for uri in world.aws.objects if uri.endswith("source.tar.gz"))
    world.aws.objects[uri] = code
    with pytest.raises(PushedCodeError, match=said):
        world.deliver(version, **STAGED)
