"""Git triggers of pipelines: a push to a repository behind a connection starts those whose filter it fits.

A look at the repository every second stands for the provider's web hook.
"""

import logging
import re
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from localaws.core.account import Account
from localaws.core.errors import Json
from localaws.services.codecommit.git import git, references
from localaws.services.codeconnections.service import CodeConnections
from localaws.services.codepipeline.service import CodePipeline

LOG = logging.getLogger("localaws.codepipeline")
_LOOK_SECONDS = 1.0
_GLOB = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
References = dict[str, str]


class GitTriggers:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, Path], References] = {}

    def listen(self) -> None:
        threading.Thread(target=self._watch, name="git-triggers", daemon=True).start()

    def _watch(self) -> None:
        pause = threading.Event()
        while not pause.wait(_LOOK_SECONDS):
            try:
                self.look()
            except Exception:
                LOG.exception("looking for pushes")

    def look(self) -> None:
        """Start what the pushes since the last look ask for; nothing where this is the first look."""
        pipelines = self._account.services["codepipeline"]
        connections = self._account.services["codeconnections"]
        assert isinstance(pipelines, CodePipeline)
        assert isinstance(connections, CodeConnections)
        with self._lock:
            for declaration in pipelines.declarations():
                for action, push in _pushes(declaration):
                    repository = connections.find_repository(action["configuration"])
                    if repository is not None:
                        self._look(pipelines, declaration["name"], action, push, repository)

    def _look(
        self, pipelines: CodePipeline, pipeline: str, action: Json, push: Json, repository: Path
    ) -> None:
        after = references(repository)
        before = self._seen.setdefault((pipeline, repository), after)
        self._seen[pipeline, repository] = after
        branch = f"refs/heads/{action['configuration']['BranchName']}"
        commit = after.get(branch)
        if commit is None or commit == before.get(branch):
            return
        # Of a new branch, the provider tells what no other branch has.
        known = [before[branch]] if branch in before else before.values()
        if fits(push.get("filePaths", {}), touched(repository, commit, known)):
            pipelines.start_for_push(pipeline, action, commit)
        else:
            LOG.info("%s: the push of %s touches no path of the trigger", pipeline, commit)


def _pushes(declaration: Json) -> Iterator[tuple[Json, Json]]:
    """The source action and the filter of each trigger."""
    actions = {action["name"]: action for stage in declaration["stages"] for action in stage["actions"]}
    for trigger in declaration.get("triggers", []):
        configuration = trigger["gitConfiguration"]
        for push in configuration["push"]:
            yield actions[configuration["sourceActionName"]], push


def touched(repository: Path, commit: str, known: Iterable[str]) -> set[str]:
    """The paths that change in the commits which were not known before."""
    arguments = ("log", "--format=", "--name-only", "--no-renames", "-m", "-z", commit, "--not", *set(known))
    return {path for path in git(repository, *arguments).split("\0") if path}


def fits(patterns: Json, paths: Iterable[str]) -> bool:
    """Whether a path is included, or nothing is, and not excluded."""
    includes = [_regular(pattern) for pattern in patterns.get("includes", ["**"])]
    excludes = [_regular(pattern) for pattern in patterns.get("excludes", [])]
    return any(
        any(pattern.fullmatch(path) for pattern in includes)
        and not any(pattern.fullmatch(path) for pattern in excludes)
        for path in paths
    )


def _regular(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    return re.compile("".join(_GLOB.get(part, re.escape(part)) for part in parts), re.DOTALL)
