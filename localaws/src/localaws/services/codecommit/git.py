"""Git commands on the bare repositories in which CodeCommit keeps its commits."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from localaws.runtime.archives import unpack

# Nothing of the user's own git configuration (signing, hooks, proxies) reaches these repositories.
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "AWS CodeCommit",
    "GIT_AUTHOR_EMAIL": "codecommit@localhost",
    "GIT_COMMITTER_NAME": "AWS CodeCommit",
    "GIT_COMMITTER_EMAIL": "codecommit@localhost",
    "LC_ALL": "C",
}


def git_environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), **_ENVIRONMENT}


def git(repository: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """The output of a git command; raises subprocess.CalledProcessError with stderr when it fails."""
    return git_bytes(repository, *arguments, environment=environment).decode("utf-8", "replace").strip()


def git_bytes(repository: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> bytes:
    return subprocess.run(
        ["git", *arguments],
        env={**git_environment(), "GIT_DIR": str(repository), **(environment or {})},
        capture_output=True,
        check=True,
    ).stdout


def create_bare(repository: Path, default_branch: str) -> None:
    repository.mkdir(parents=True)
    git(repository, "init", "--bare", "--quiet", f"--initial-branch={default_branch}")


def references(repository: Path) -> dict[str, str]:
    """Object id by full name: {"refs/heads/main": "5f0c…"}."""
    lines = git(repository, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    return dict(line.split(" ") for line in lines)


def commit_archive(repository: Path, archive: Path, branch: str, message: str) -> str:
    """Make the content of a zip archive the one commit of a new branch; return its id."""
    with tempfile.TemporaryDirectory() as folder:
        unpack(archive.read_bytes(), Path(folder))
        work_tree = {"GIT_WORK_TREE": folder}
        # Forced: the archive decides what is in the commit, not a .gitignore inside it.
        git(repository, "add", "--all", "--force", ".", environment=work_tree)
        tree = git(repository, "write-tree")
    commit = git(repository, "commit-tree", tree, "-m", message)
    git(repository, "update-ref", f"refs/heads/{branch}", commit)
    return commit
