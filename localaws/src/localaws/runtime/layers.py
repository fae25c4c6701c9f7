"""Layers of installed wheels: the same wheels give the same files, so pip installs them once.

A program in a container asks `install` before it runs pip, and has what it finds in the place where pip would put it.
The first time, it leaves the wheels where the local AWS finds them (`LEFT`), which makes a layer of them by pip itself.
Parts of this file run in the image's Python, which has nothing of the local AWS.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

REQUIREMENTS = "requirements.txt"  # beside the wheels
LEFT = ".localaws-wheels"  # in the container's /tmp
IN_CONTAINER = Path("/tmp")  # noqa: S108 - the container's own
FLAGS = {"--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-deps", "--no-compile", "--dry-run"}


def install(arguments: Sequence[str], layer: str) -> bool:
    """Whether nothing is left to do for this command of pip."""
    options = _options(arguments)
    key = key_of(Path.cwd()) if options is not None else None
    if options is None or key is None:
        return False
    target = Path(options["--target"]) if "--target" in options else None
    if layer and Path(layer).name == key:
        if target is None:  # a dry run, which succeeded before the layer was made
            return True
        if not os.path.lexists(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(layer)
            return True
    left = IN_CONTAINER / LEFT / key
    if target is not None and not left.exists():
        left.mkdir(parents=True)
        for path in (Path(REQUIREMENTS), *_named_wheels(Path.cwd())):
            shutil.copyfile(path, left / path.name)
    return False


def pip_arguments(target: Path) -> list[str]:
    """The arguments of Python that install a folder's requirements.txt from its wheels."""
    flags = ("--quiet", "--disable-pip-version-check", "--no-deps")
    return ["-m", "pip", "install", *flags, "--target", str(target), "--requirement", REQUIREMENTS]


def key_of(folder: Path) -> str | None:
    """Names the files that pip makes of the folder's requirements; nothing when the index may be asked for them."""
    requirements = folder / REQUIREMENTS
    if not requirements.is_file() or "--no-index" not in requirements.read_text():
        return None
    digest = hashlib.sha256(requirements.read_bytes())
    for wheel in _named_wheels(folder):
        digest.update(wheel.name.encode() + hashlib.sha256(wheel.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _named_wheels(folder: Path) -> list[Path]:
    found = re.findall(r"^([A-Za-z0-9._-]+)==", (folder / REQUIREMENTS).read_text(), re.MULTILINE)
    names = {_distribution(name) for name in found}
    wheels = folder.glob("*.whl")
    return sorted(wheel for wheel in wheels if _distribution(wheel.name.partition("-")[0]) in names)


def _options(arguments: Sequence[str]) -> dict[str, str] | None:
    """The options of `pip install` from the requirements file in the working folder: into a folder, or as a dry run."""
    if list(arguments[:3]) != ["-m", "pip", "install"]:
        return None
    words = [word for word in arguments[3:] if word not in FLAGS]
    options = dict(zip(words[::2], words[1::2], strict=False))
    asked = "--dry-run" in arguments, "--no-deps" in arguments, "--target" in options
    if set(options) - {"--target"} != {"--requirement"} or options["--requirement"] != REQUIREMENTS:
        return None
    return options if asked in ((True, False, False), (False, True, True)) else None


def _distribution(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()
