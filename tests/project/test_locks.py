"""The locks of the builds: everything that a build installs, so that pip need not find out what belongs together.

`make lock` writes them anew from requirements.lock, which has the versions, and from what the installed packages say
that they need, on this Python and on that of CodeBuild.
"""

import os
import re
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parents[2]
HEAD = "# Written by `make lock`: {} and what they need, with the versions of requirements.lock.\n"
LOCKS = {
    "requirements-build.lock": ("requirements.txt", "requirements-test.txt"),
    "requirements-deploy.lock": ("ml_code/requirements.txt", "ml_code/requirements-image.txt", "flit_core"),
}
PYTHONS = ("3.11", "3.12")


def pins() -> dict[str, list[str]]:
    """The lines of requirements.lock by package: several where the version depends on Python's."""
    found: dict[str, list[str]] = {}
    for line in (PROJECT / "requirements.lock").read_text().splitlines():
        if "==" in line:
            found.setdefault(canonicalize_name(line.partition("==")[0]), []).append(line)
    return found


def asked(source: str) -> Iterator[Requirement]:
    path = PROJECT / source
    if not path.is_file():
        yield Requirement(source)
        return
    for line in path.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            yield from asked((path.parent / text.removeprefix("-r ")).relative_to(PROJECT).as_posix())
        elif text:
            yield Requirement(text)


def closure(sources: tuple[str, ...]) -> set[str]:
    """Names of the packages that an installation of `sources` has."""
    found: set[tuple[str, str]] = set()
    waiting = [requirement for source in sources for requirement in asked(source)]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *sorted(requirement.extras)):
            if (name, extra) not in found:
                found.add((name, extra))
                waiting += [need for need in map(Requirement, requires(name) or []) if _applies(need, extra)]
    return {name for name, _ in found}


def _applies(requirement: Requirement, extra: str) -> bool:
    if requirement.marker is None:
        return extra == ""
    return any(
        requirement.marker.evaluate(
            {"python_version": python, "python_full_version": f"{python}.0", "extra": extra}
        )
        for python in PYTHONS
    )


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_all_that_its_build_needs(lock: str) -> None:
    sources, known = LOCKS[lock], pins()
    names = sorted(closure(sources))
    unpinned = [name for name in names if name not in known]
    assert unpinned == [], "requirements.lock has no version of them"
    text = HEAD.format(", ".join(sources)) + "".join(f"{line}\n" for name in names for line in known[name])
    if os.environ.get("UPDATE_LOCKS"):
        (PROJECT / lock).write_text(text)
    assert (PROJECT / lock).read_text() == text, "run `make lock`, and commit what it writes"


@pytest.mark.parametrize(
    ("buildspec", "lock"),
    [
        ("codebuild-buildspec.yml", "requirements-build.lock"),
        ("deploy-buildspec.yml", "requirements-deploy.lock"),
    ],
)
def test_a_build_installs_its_lock(buildspec: str, lock: str) -> None:
    commands = re.findall(r"pip install (.*)", (PROJECT / buildspec).read_text())
    assert commands == [f"--quiet --disable-pip-version-check --no-deps -r {lock}"]
