"""CodeBuild's buildspec: how it is read, which phase follows which, which files an artifact holds.

After https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html and "Build phase transitions".
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

PHASES = ("install", "pre_build", "build", "post_build")
OnFailure = Literal["ABORT", "CONTINUE"]

_TOP_KEYS = {"version", "env", "phases", "artifacts", "cache"}
_ENV_KEYS = {"shell", "variables", "parameter-store", "secrets-manager", "exported-variables"}
_PHASE_KEYS = {"commands", "finally", "on-failure", "runtime-versions"}
_ARTIFACT_KEYS = {"files", "name", "discard-paths", "base-directory", "exclude-paths", "secondary-artifacts"}
# Known to CodeBuild, not to the local AWS: to ignore one would change what the build does.
_UNSUPPORTED = {
    "run-as",
    "proxy",
    "batch",
    "reports",
    "git-credential-helper",
    "enable-symlinks",
    "s3-prefix",
}


class BuildspecError(Exception):
    """A buildspec that CodeBuild refuses with YAML_FILE_ERROR in the phase DOWNLOAD_SOURCE."""


@dataclass(frozen=True)
class Phase:
    commands: tuple[str, ...]
    finally_commands: tuple[str, ...]
    on_failure: OnFailure | None
    runtime_versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Artifact:
    files: tuple[str, ...]
    base_directory: str
    exclude_paths: tuple[str, ...]
    discard_paths: bool
    name: str | None


@dataclass(frozen=True)
class Buildspec:
    phases: Mapping[str, Phase]
    shell: Literal["sh", "bash"]
    variables: Mapping[str, str]
    parameter_store: Mapping[str, str]
    secrets_manager: Mapping[str, str]
    exported_variables: tuple[str, ...]
    artifact: Artifact | None
    secondary_artifacts: Mapping[str, Artifact]
    # Section to keys: CodeBuild warns of keys it cannot identify, and goes on.
    unidentified_keys: Mapping[str, tuple[str, ...]]


def parse_buildspec(text: str) -> Buildspec:
    try:
        # Every scalar stays the text it is written as: 0.2, yes and 3.10 are no numbers here.
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 (it makes strings, lists and dicts only)
    except yaml.YAMLError as error:
        raise BuildspecError(str(error)) from error
    top = _mapping(document, "buildspec")
    if top.get("version") != "0.2":
        raise BuildspecError(
            f"version must be 0.2, got {top.get('version')!r}: in 0.1 each command runs in a shell of its own,"
            " which the local AWS does not support"
        )
    unidentified: dict[str, tuple[str, ...]] = {}

    def section(content: Any, name: str, known: set[str]) -> dict[str, Any]:
        mapping = _mapping(content, name)
        unsupported = sorted(_UNSUPPORTED.intersection(mapping))
        if unsupported:
            raise BuildspecError(f"the local AWS does not support {', '.join(unsupported)} in {name}")
        strange = tuple(key for key in mapping if key not in known)
        if strange:
            unidentified[name.upper()] = strange
        return mapping

    section(top, "buildspec", _TOP_KEYS)
    env = section(top.get("env"), "env", _ENV_KEYS)
    phases = section(top.get("phases"), "phases", set(PHASES))
    if not phases:
        raise BuildspecError(f"phases must have at least one of {', '.join(PHASES)}")
    artifacts = section(top.get("artifacts"), "artifacts", _ARTIFACT_KEYS)
    secondary = _mapping(artifacts.get("secondary-artifacts"), "artifacts/secondary-artifacts")
    return Buildspec(
        phases={
            name: _phase(section(phases[name], name, _PHASE_KEYS), name) for name in PHASES if name in phases
        },
        shell=_shell(env.get("shell", "/bin/sh")),
        variables=_texts(env, "variables"),
        parameter_store=_texts(env, "parameter-store"),
        secrets_manager=_texts(env, "secrets-manager"),
        exported_variables=_list(env, "exported-variables"),
        artifact=_artifact(artifacts, "artifacts") if artifacts else None,
        secondary_artifacts={
            name: _artifact(section(content, f"artifacts/{name}", _ARTIFACT_KEYS), name)
            for name, content in secondary.items()
        },
        unidentified_keys=unidentified,
    )


def following_phase(phase: str, *, failed: bool, on_failure: OnFailure | None) -> str:
    """The phase of the buildspec after this one, or UPLOAD_ARTIFACTS, or FINALIZING."""
    if failed and (on_failure == "ABORT" or (on_failure is None and phase in ("install", "pre_build"))):
        return "FINALIZING"
    following = PHASES.index(phase) + 1
    return PHASES[following] if following < len(PHASES) else "UPLOAD_ARTIFACTS"


def select_files(paths: Iterable[str], artifact: Artifact) -> dict[str, str]:
    """Path in the artifact by path in the source, of those `paths` (with /) that the artifact asks for.

    Raises LookupError in CodeBuild's words when there is none.
    """
    base = _glob(artifact.base_directory.removeprefix("./").strip("/"))
    selected = {}
    base_seen = artifact.base_directory in ("", ".")
    for path in paths:
        inside: str | None = path
        if artifact.base_directory not in ("", "."):
            match = re.match(rf"(?:{base})/(.+)", path)
            base_seen = base_seen or match is not None
            inside = match.group(1) if match else None
        if (
            inside is not None
            and _matches(inside, artifact.files)
            and not _matches(inside, artifact.exclude_paths)
        ):
            selected[path] = inside.rpartition("/")[2] if artifact.discard_paths else inside
    if not base_seen:
        raise LookupError(f"no matching base directory path found for {artifact.base_directory}")
    if not selected:
        raise LookupError("no matching artifact paths found")
    return selected


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(re.fullmatch(_glob(pattern.removeprefix("./")), path) for pattern in patterns)


def _glob(pattern: str) -> str:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    wildcards = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(wildcards.get(part, re.escape(part)) for part in parts)


def _phase(content: dict[str, Any], name: str) -> Phase:
    on_failure = content.get("on-failure")
    if on_failure not in (None, "ABORT", "CONTINUE"):
        raise BuildspecError(
            f"{name}/on-failure must be ABORT or CONTINUE (the local AWS does not support RETRY), got {on_failure!r}"
        )
    runtime_versions = _texts(content, "runtime-versions")
    if runtime_versions and name != "install":
        raise BuildspecError(f"runtime-versions belongs to the phase install, not to {name}")
    commands = _list(content, "commands")
    if not commands and name != "install":
        raise BuildspecError(f"{name}/commands is required")
    return Phase(commands, _list(content, "finally"), on_failure, runtime_versions)


def _artifact(content: dict[str, Any], name: str) -> Artifact:
    files = _list(content, "files")
    if not files:
        raise BuildspecError(f"{name}/files is required")
    return Artifact(
        files=files,
        base_directory=content.get("base-directory", ""),
        exclude_paths=_list(content, "exclude-paths"),
        discard_paths=content.get("discard-paths", "no").lower() in ("yes", "true"),
        name=content.get("name"),
    )


def _shell(shell: str) -> Literal["sh", "bash"]:
    if shell == "bash":
        return "bash"
    if shell == "/bin/sh":
        return "sh"
    raise BuildspecError(f"env/shell must be bash or /bin/sh, got {shell!r}")


def _mapping(content: Any, name: str) -> dict[str, Any]:
    if content in (None, ""):  # "env:" with nothing behind it
        return {}
    if not isinstance(content, dict):
        raise BuildspecError(f"Expected {name} to be a mapping, got {content!r}")
    return content


def _list(content: dict[str, Any], key: str) -> tuple[str, ...]:
    items = content.get(key, "")
    if items == "":
        return ()
    if isinstance(items, str):
        items = [items]
    if not isinstance(items, list):
        raise BuildspecError(f"Expected {key} to be a list, got {items!r}")
    for number, item in enumerate(items):
        if not isinstance(item, str):
            raise BuildspecError(
                f"Expected {key.capitalize()}[{number}] to be of string type: found subkeys instead in {item!r};"
                " quote a command that has a colon followed by a space"
            )
    return tuple(items)


def _texts(content: dict[str, Any], key: str) -> dict[str, str]:
    mapping = _mapping(content.get(key), key)
    for name, value in mapping.items():
        if not isinstance(value, str):
            raise BuildspecError(f"Expected {key}/{name} to be of string type, got {value!r}")
    return mapping
