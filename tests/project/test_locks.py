"""The locks of builds and jobs: all that they install, so that pip need not find out what belongs together.

`make lock` writes requirements.lock anew, with versions and hashes, and from it the others, by what the installed
packages say that they need, on each Python that is supported. requirements-audit.lock is apart: nothing that is installed
here says what it needs.
"""

import os
import re
from collections.abc import Iterator, Sequence
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ml_code.execution.job_wheels import CLUSTER_PACKAGES

PROJECT = Path(__file__).resolve().parents[2]
HEAD = "# Written by `make lock`: {} and what they need, with the versions and hashes of requirements.lock.\n"
BUILD, DEPLOY, JOB = "requirements-build.lock", "requirements-deploy.lock", "requirements-job.lock"
AUDIT = "requirements-audit.lock"
CLUSTER = "ml_code/requirements-cluster.txt"
LOCKS = {
    BUILD: ("requirements.txt", "requirements-test.txt"),
    DEPLOY: ("ml_code/requirements.txt", "ml_code/requirements-without-image.txt", "flit_core"),
    JOB: ("ml_code/requirements.txt", "ml_code/requirements-estimators.txt", CLUSTER),
}
PYTHONS = {BUILD: ("3.11", "3.12", "3.13"), DEPLOY: ("3.11", "3.12", "3.13"), JOB: ("3.12",)}
# What jobs add to the image leaves these to it, with what they need: all that is compiled, and botocore, which is large.
FROM_IMAGE = (
    "boto3",
    "charset-normalizer",
    "cryptography",
    "jinja2",
    "numpy",
    "pillow",
    "psutil",
    "pyyaml",
    "scipy",
)


def pins() -> dict[str, list[str]]:
    """The entries of requirements.lock by package, with their hashes: several where the version depends on Python's."""
    found: dict[str, list[str]] = {}
    for entry in re.findall(r"^[a-zA-Z].*(?:\n    --hash=.*)*", read("requirements.lock"), re.MULTILINE):
        found.setdefault(canonicalize_name(entry.partition("==")[0]), []).append(entry)
    return found


def read(name: str) -> str:
    return (PROJECT / name).read_text()


def pinned(name: str) -> dict[str, str]:
    """The versions of a list of pins by package."""
    lines = [line.partition("==") for line in read(name).splitlines() if "==" in line and line[0] != "#"]
    return {canonicalize_name(package): version.split()[0] for package, _, version in lines}


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


def closure(lock: str, sources: Sequence[str] = ()) -> set[str]:
    """Names of the packages that an installation of the lock has, or of some of its sources."""
    left_out = FROM_IMAGE if lock == JOB else ()
    found: set[tuple[str, str]] = set()
    waiting = [
        requirement
        for source in sources or LOCKS[lock]
        for requirement in asked(source)
        if _applies(requirement, "", PYTHONS[lock])
    ]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *sorted(requirement.extras)):
            if (name, extra) not in found and name not in left_out:
                found.add((name, extra))
                needs = map(Requirement, requires(name) or [])
                waiting += [need for need in needs if _applies(need, extra, PYTHONS[lock])]
    return {name for name, _ in found}


def _applies(requirement: Requirement, extra: str, pythons: Sequence[str]) -> bool:
    if requirement.marker is None:
        return extra == ""
    return any(
        requirement.marker.evaluate(
            {"python_version": python, "python_full_version": f"{python}.0", "extra": extra}
        )
        for python in pythons
    )


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_all_that_it_needs(lock: str) -> None:
    known, names = pins(), sorted(closure(lock))
    unpinned = [name for name in names if name not in known]
    assert unpinned == [], "requirements.lock has no version of them"
    entries = "".join(f"{entry}\n" for name in names for entry in known[name])
    if lock == JOB:  # which runs on Linux
        entries = entries.replace(" ; sys_platform == 'linux'", "")
    text = HEAD.format(", ".join(LOCKS[lock])) + entries
    if os.environ.get("UPDATE_LOCKS"):
        (PROJECT / lock).write_text(text)
    assert read(lock) == text, "run `make lock`, and commit what it writes"


def test_what_only_a_cluster_needs_is_told_apart() -> None:
    others = [source for source in LOCKS[JOB] if source != CLUSTER]
    assert set(CLUSTER_PACKAGES) == closure(JOB) - closure(JOB, others)


def test_the_scanners_lock_has_the_scanners() -> None:
    asked_for = pinned("requirements-audit.txt")
    assert asked_for.items() <= pinned(AUDIT).items(), "run `make lock`, and commit what it writes"


@pytest.mark.parametrize("lock", ["requirements.lock", AUDIT, *LOCKS])
def test_each_package_has_hashes_and_no_address(lock: str) -> None:
    entries = re.findall(r"^[a-zA-Z](?:.*\\\n)*.*", read(lock), re.MULTILINE)
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in read(lock)


def test_what_jobs_add_is_the_same_on_every_python() -> None:
    """Else a job where Python is another would ask for a release that is not in its bundle."""
    assert [line for line in read(JOB).splitlines() if ";" in line] == []


def test_what_jobs_add_fits_the_image() -> None:
    """Each package of the bundle and of the image has what it asks for, but the image's toolkits that hold protobuf."""
    image, added = pinned("ml_code/requirements-image.txt"), pinned(JOB)
    there = image | added
    broken = [
        f"{name} asks for {need}, there is {there.get(canonicalize_name(need.name))}"
        for name in added
        for need in map(Requirement, requires(name) or [])
        if _applies(need, "", PYTHONS[JOB])
        and not need.specifier.contains(there.get(canonicalize_name(need.name), "0"))
    ]
    assert broken == []


def test_the_image_s_packages_are_those_that_the_local_aws_installs() -> None:
    packages = PROJECT / "localaws/src/localaws/runtime/sklearn_image/packages.txt"
    if not packages.is_file():
        pytest.skip("there is no folder localaws/")
    assert packages.read_text() == read("ml_code/requirements-image.txt")


def test_where_there_is_no_image_its_releases_are_used_or_a_reason_given() -> None:
    image = pinned("ml_code/requirements-image.txt")
    for line in read("ml_code/requirements-without-image.txt").splitlines():
        if not line.startswith("#"):
            requirement = Requirement(line.partition("#")[0])
            release = f"=={image[canonicalize_name(requirement.name)]}"
            assert str(requirement.specifier) == release or "#" in line, f"{line}: the image has {release}"


@pytest.mark.parametrize(
    ("buildspec", "lock"), [("codebuild-buildspec.yml", BUILD), ("deploy-buildspec.yml", DEPLOY)]
)
def test_a_build_installs_its_lock(buildspec: str, lock: str) -> None:
    commands = re.findall(r"pip install (.*)", read(buildspec))
    assert commands == [f"--quiet --disable-pip-version-check --no-deps --require-hashes -r {lock}"]
