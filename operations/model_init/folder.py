"""The model's folder: what may be written there, and how a later run sees whether it was edited."""

import hashlib
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ml_code.contracts import MODEL_NAME_PATTERN
from ml_code.spec import MODEL_YAML, MODELS, model_folders
from operations.errors import OperationError
from operations.model_init.sample import Sample

# In the model.yaml of the project's sample.
SAMPLE_MARK = "make model-init replaces this sample"
_DIGEST = re.compile(r"# sha256:([0-9a-f]{64}) .*")
_NOTE = "of this draft and its data: make model-init overwrites it as long as it is not edited"
# Where editors look for it.
_FIRST_LINE = "# yaml-language-server: $schema=../../docs/model.schema.json\n"


def model_name(given: str, data: Path) -> str:
    """The model's name as given, else made of the file's name."""
    name = given or re.sub(r"[^A-Za-z0-9]+", "-", data.name.partition(".")[0]).strip("-")
    if not re.fullmatch(MODEL_NAME_PATTERN, name):
        source = f"NAME is {given!r}" if given else f"The file is called {data.name!r}"
        raise OperationError(
            f"{source}; give NAME, a letter and then letters, digits, - and _, 63 characters at most"
        )
    return name


def check_folder(project: Path, name: str) -> None:
    """Raise OperationError when the folder is not that of an unedited draft."""
    folder = project / MODELS / name
    if folder.exists() and not _is_unedited(folder):
        raise OperationError(
            f"{MODELS / name} was edited, or is no draft of make model-init: it is left as it is. Move it away, or give "
            f"another NAME"
        )


def _samples(project: Path, name: str) -> list[Path]:
    folders = [folder for folder in model_folders(project) if folder.name != name]
    return [folder for folder in folders if is_replaceable(project, folder)]


def is_replaceable(project: Path, folder: Path) -> bool:
    """Whether the folder is the project's sample, unchanged since its commit."""
    is_sample = SAMPLE_MARK in (folder / MODEL_YAML).read_text(encoding="utf-8", errors="replace")
    return (
        is_sample and _git(project, "ls-files", folder) and not _git(project, "status", "--porcelain", folder)
    )


def _git(project: Path, command: str, *arguments: str | Path) -> bool:
    """Whether git, asked for the folder, names any file; no repository has none."""
    *options, folder = arguments
    words: Sequence[str | Path] = ("git", "-C", project, command, *options, "--", folder)
    found = subprocess.run(words, capture_output=True, text=True, check=False)
    return found.returncode == 0 and bool(found.stdout.strip())


def write_draft(project: Path, name: str, text: str, sample: Sample) -> list[Path]:
    """Write the draft, model.yaml last: a half written one is no model. Return the project's samples, which are taken away."""
    folder = project / MODELS / name
    if folder.exists():
        shutil.rmtree(folder)
    (folder / "data").mkdir(parents=True)
    (folder / "data" / sample.file_name).write_bytes(sample.body)
    digest = f"# sha256:{_digest(text, [sample.body])} {_NOTE}\n"
    (folder / MODEL_YAML).write_bytes(f"{_FIRST_LINE}{digest}{text}".encode())
    samples = _samples(project, name)
    for folder in samples:
        shutil.rmtree(folder)
    return samples


def _is_unedited(folder: Path) -> bool:
    path = folder / MODEL_YAML
    if not path.is_file():
        return False
    written = path.read_bytes().decode("utf-8", errors="replace")
    if not written.startswith(_FIRST_LINE):
        return False
    first, _, text = written.removeprefix(_FIRST_LINE).partition("\n")
    found = _DIGEST.fullmatch(first)
    files = sorted(each for each in folder.rglob("*") if each.is_file() and each != path)
    is_ours = all(each.parent == folder / "data" for each in files)
    return bool(found and is_ours and found[1] == _digest(text, [each.read_bytes() for each in files]))


def _digest(text: str, bodies: Sequence[bytes]) -> str:
    digest = hashlib.sha256(text.encode())
    for body in bodies:
        digest.update(hashlib.sha256(body).digest())
    return digest.hexdigest()
