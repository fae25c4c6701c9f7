import pytest

from localaws.services.codebuild.buildspec import (
    Artifact,
    BuildspecError,
    following_phase,
    parse_buildspec,
    select_files,
)


def artifact(*files: str, base: str = "", exclude: tuple[str, ...] = (), discard: bool = False) -> Artifact:
    return Artifact(files, base, exclude, discard, None)


def test_scalars_stay_as_they_are_written() -> None:
    spec = parse_buildspec(
        "version: 0.2\n"
        "env:\n  shell: bash\n  variables: {PYTHON: 3.10, DEBUG: yes}\n  exported-variables: [A]\n"
        "phases:\n"
        "  install: {runtime-versions: {python: 3.10}}\n"
        "  build: {commands: [make, 'true'], finally: [echo], on-failure: CONTINUE}\n"
        "cache: {paths: [node_modules/**/*]}\n"
    )
    assert spec.variables == {"PYTHON": "3.10", "DEBUG": "yes"}
    assert spec.phases["install"].runtime_versions == {"python": "3.10"}
    assert spec.phases["build"].commands == ("make", "true")
    assert spec.phases["build"].finally_commands == ("echo",)
    assert spec.phases["build"].on_failure == "CONTINUE"
    assert spec.shell == "bash"
    assert spec.exported_variables == ("A",)


def test_json_is_yaml_too() -> None:
    spec = parse_buildspec('{\n  "version": "0.2",\n  "phases": {"build": {"commands": ["make"]}}\n}')
    assert spec.phases["build"].commands == ("make",)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("version: 0.1\nphases: {build: {commands: [a]}}", "version must be 0.2, got '0.1'"),
        ("phases: {build: {commands: [a]}}", "version must be 0.2, got None"),
        ("version: 0.2", "phases must have at least one"),
        (
            "version: 0.2\nphases: {build: {commands: [echo a: b]}}",
            r"Expected Commands\[0\] to be of string type",
        ),
        ("version: 0.2\nphases: {build: {}}", "build/commands is required"),
        ("version: 0.2\nphases: {build: {commands: [a], on-failure: RETRY}}", "does not support RETRY"),
        ("version: 0.2\nphases: {build: {commands: [a], run-as: me}}", "does not support run-as in build"),
        (
            "version: 0.2\nrun-as: me\nphases: {build: {commands: [a]}}",
            "does not support run-as in buildspec",
        ),
        (
            "version: 0.2\nbatch: {fast-fail: true}\nphases: {build: {commands: [a]}}",
            "does not support batch",
        ),
        ("version: 0.2\nproxy: {logs: yes}\nphases: {build: {commands: [a]}}", "does not support proxy"),
        (
            "version: 0.2\nreports: {r: {files: [x]}}\nphases: {build: {commands: [a]}}",
            "does not support reports",
        ),
        (
            "version: 0.2\nenv: {shell: zsh}\nphases: {build: {commands: [a]}}",
            "env/shell must be bash or /bin/sh",
        ),
        ("version: 0.2\nphases: {build: {commands: [a}", "while parsing"),
    ],
)
def test_wrong_and_unsupported_buildspecs_are_refused(text: str, error: str) -> None:
    with pytest.raises(BuildspecError, match=error):
        parse_buildspec(text)


def test_unidentified_keys_are_named_not_refused() -> None:
    spec = parse_buildspec("version: 0.2\nphases: {build: {commands: [a], env: {}}}")
    assert spec.unidentified_keys == {"BUILD": ("env",)}


@pytest.mark.parametrize(
    ("phase", "on_failure", "following"),
    [
        ("install", None, "FINALIZING"),
        ("pre_build", None, "FINALIZING"),
        ("build", None, "post_build"),
        ("post_build", None, "UPLOAD_ARTIFACTS"),
        ("install", "CONTINUE", "pre_build"),
        ("build", "ABORT", "FINALIZING"),
    ],
)
def test_what_follows_a_failed_phase(phase: str, on_failure: str | None, following: str) -> None:
    assert following_phase(phase, failed=True, on_failure=on_failure) == following  # type: ignore[arg-type]


def test_after_success_the_phases_follow_each_other() -> None:
    assert following_phase("install", failed=False, on_failure="ABORT") == "pre_build"
    assert following_phase("post_build", failed=False, on_failure=None) == "UPLOAD_ARTIFACTS"


TREE = ["my-build-1/my-file-1.txt", "my-build-2/my-file-2.txt", "my-build-2/my-subdirectory/my-file-3.txt"]


def test_artifacts_as_in_the_user_guide() -> None:
    assert select_files(TREE, artifact("*/my-file-3.txt", base="my-build-2")) == {
        "my-build-2/my-subdirectory/my-file-3.txt": "my-subdirectory/my-file-3.txt"
    }
    flattened = select_files(TREE, artifact("**/*", base="my-build*", discard=True))
    assert sorted(flattened.values()) == ["my-file-1.txt", "my-file-2.txt", "my-file-3.txt"]


def test_patterns_of_artifacts() -> None:
    assert list(select_files(TREE, artifact("**/*", exclude=("my-build-2/**/*",)))) == [TREE[0]]
    assert list(select_files(TREE, artifact("my-build-2/*"))) == [TREE[1]]
    assert list(select_files(TREE, artifact("my-build-2/**/*"))) == TREE[1:]


def test_an_artifact_of_nothing_is_an_error() -> None:
    with pytest.raises(LookupError, match="no matching artifact paths found"):
        select_files(TREE, artifact("*.jar"))
    with pytest.raises(LookupError, match="no matching base directory path found for target"):
        select_files(TREE, artifact("**/*", base="target"))
