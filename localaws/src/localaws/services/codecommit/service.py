"""CodeCommit: the repository whose pushes start the delivery pipeline; git_http.py answers git."""

import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from shutil import rmtree
from uuid import uuid4

from moto.utilities.tagging_service import TaggingService

from localaws.core.account import Account
from localaws.core.errors import Json, ServiceError
from localaws.core.identity import ACCOUNT_ID
from localaws.core.service import Service
from localaws.services.codecommit.git import commit_archive, create_bare, git, git_bytes, references

MAX_SEED_BYTES = 20 * 1024 * 1024


class CodeCommit(Service):
    name = "codecommit"

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._metadata: dict[str, Json] = {}
        self._tags = TaggingService()  # by the repository's name
        self._locks: dict[str, threading.Lock] = {}

    def create_repository(self, request: Json) -> Json:
        name = request["repositoryName"]
        if name in self._metadata:
            raise ServiceError("RepositoryNameExistsException", f"Repository named {name} already exists")
        now = datetime.now(UTC)
        self._metadata[name] = {
            "accountId": ACCOUNT_ID,
            "repositoryId": str(uuid4()),
            "repositoryName": name,
            "repositoryDescription": request.get("repositoryDescription", ""),
            "lastModifiedDate": now,
            "creationDate": now,
            "cloneUrlHttp": f"{self.account.endpoint_url}/v1/repos/{name}",
            "Arn": self.account.arn("codecommit", name),
        }
        self._tag(name, request.get("tags", {}))
        self._locks[name] = threading.Lock()
        create_bare(self.path(name), "main")
        return {"repositoryMetadata": self._metadata[name]}

    def seed(self, name: str, archive: Path, branch: str) -> str:
        """Make an archive the first commit, as CloudFormation does; return the commit's id."""
        if archive.stat().st_size > MAX_SEED_BYTES:
            raise ServiceError("FileContentSizeLimitExceededException", f"{archive}: more than 20 MB")
        repository = self.path(name)
        commit = commit_archive(repository, archive, branch, "Initial commit")
        empty = [
            line.split("\t")[1]
            for line in git(repository, "ls-tree", "-r", "-l", commit).splitlines()
            if line.split()[3] == "0"
        ]
        if empty:
            raise ServiceError(
                "FileContentRequiredException",
                f"CodeCommit accepts no empty file in the code of a new repository: {', '.join(empty)}",
            )
        self._metadata[name]["defaultBranch"] = branch
        git(repository, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
        return commit

    def delete_repository(self, request: Json) -> Json:
        metadata = self._metadata.get(request["repositoryName"])
        if metadata is None:
            return {}
        rmtree(self.path(request["repositoryName"]))
        self._tags.delete_all_tags_for_resource(request["repositoryName"])
        for table in (self._metadata, self._locks):
            table.pop(request["repositoryName"])
        return {"repositoryId": metadata["repositoryId"]}

    def get_repository(self, request: Json) -> Json:
        return {"repositoryMetadata": self._repository(request["repositoryName"])}

    def batch_get_repositories(self, request: Json) -> Json:
        names = request["repositoryNames"]
        return {
            "repositories": [self._metadata[name] for name in names if name in self._metadata],
            "repositoriesNotFound": [name for name in names if name not in self._metadata],
        }

    def list_repositories(self, _request: Json) -> Json:
        return {
            "repositories": [
                {"repositoryName": name, "repositoryId": metadata["repositoryId"]}
                for name, metadata in sorted(self._metadata.items())
            ]
        }

    def update_repository_description(self, request: Json) -> Json:
        repository = self._repository(request["repositoryName"])
        repository["repositoryDescription"] = request.get("repositoryDescription", "")
        return {}

    def list_branches(self, request: Json) -> Json:
        self._repository(request["repositoryName"])
        names = references(self.path(request["repositoryName"]))
        return {
            "branches": [name.removeprefix("refs/heads/") for name in names if name.startswith("refs/heads/")]
        }

    def get_branch(self, request: Json) -> Json:
        name, branch = request["repositoryName"], request["branchName"]
        self._repository(name)
        commit = references(self.path(name)).get(f"refs/heads/{branch}")
        if commit is None:
            raise ServiceError(
                "BranchDoesNotExistException", f"Branch {branch} does not exist in repository {name}"
            )
        return {"branch": {"branchName": branch, "commitId": commit}}

    def get_commit(self, request: Json) -> Json:
        name, commit = request["repositoryName"], request["commitId"]
        self._repository(name)
        fields = ("%H", "%T", "%P", "%an", "%ae", "%ad", "%cn", "%ce", "%cd", "%B")
        try:
            text = git(
                self.path(name),
                "show",
                "--no-patch",
                "--date=raw",
                f"--format={'%x00'.join(fields)}",
                f"{commit}^{{commit}}",
            )
        except subprocess.CalledProcessError as error:
            raise ServiceError(
                "CommitIdDoesNotExistException", f"Commit {commit} does not exist in repository {name}"
            ) from error
        full, tree, parents, author, author_email, authored, committer, email, committed, message = (
            text.split("\0")
        )
        return {
            "commit": {
                "commitId": full,
                "treeId": tree,
                "parents": parents.split(),
                "message": message,
                "author": {"name": author, "email": author_email, "date": authored},
                "committer": {"name": committer, "email": email, "date": committed},
                "additionalData": "",
            }
        }

    def get_file(self, request: Json) -> Json:
        name, path = request["repositoryName"], request["filePath"]
        commit = self._commit(request)
        entries = _entries(self.path(name), commit, path)
        if len(entries) != 1 or entries[0]["type"] != "blob":
            raise ServiceError("FileDoesNotExistException", f"File {path} does not exist in commit {commit}")
        return {
            "commitId": commit,
            "blobId": entries[0]["id"],
            "filePath": path,
            "fileMode": _file_mode(entries[0]["mode"]),
            "fileSize": int(entries[0]["size"]),
            "fileContent": git_bytes(self.path(name), "cat-file", "blob", entries[0]["id"]),
        }

    def get_folder(self, request: Json) -> Json:
        name, path = request["repositoryName"], request["folderPath"].strip("/")
        commit = self._commit(request)
        entries = _entries(self.path(name), commit, f"{path}/" if path else "")
        if not entries:
            raise ServiceError(
                "FolderDoesNotExistException", f"Folder {path} does not exist in commit {commit}"
            )

        def described(kind: str) -> list[Json]:
            return [
                {
                    "absolutePath": entry["path"],
                    "relativePath": PurePosixPath(entry["path"]).name,
                    **_ids(entry),
                }
                for entry in entries
                if entry["type"] == kind
            ]

        return {
            "commitId": commit,
            "folderPath": path,
            "subFolders": described("tree"),
            "files": described("blob"),
            "symbolicLinks": [],
            "subModules": [],
        }

    def tag_resource(self, request: Json) -> Json:
        self._tag(self._tagged(request), request["tags"])
        return {}

    def untag_resource(self, request: Json) -> Json:
        self._tags.untag_resource_using_names(self._tagged(request), request["tagKeys"])
        return {}

    def list_tags_for_resource(self, request: Json) -> Json:
        return {"tags": self._tags.get_tag_dict_for_resource(self._tagged(request))}

    def path(self, name: str) -> Path:
        """The bare repository; raises RepositoryDoesNotExistException."""
        return self.account.state_dir / "repos" / f"{self._repository(name)['repositoryId']}.git"

    def lock(self, name: str) -> threading.Lock:
        """The lock of a repository during a push, so that each event names the move that it reports."""
        return self._locks[name]

    def archive(self, name: str, commit: str) -> bytes:
        """The commit as a zip file: what UploadArchive gives to CodePipeline."""
        return git_bytes(self.path(name), "archive", "--format=zip", commit)

    def pushed(self, name: str, before: dict[str, str], after: dict[str, str], caller_arn: str) -> None:
        """Publish an event for each reference that a push created, updated or deleted."""
        for reference in sorted(before.keys() | after.keys()):
            old, new = before.get(reference), after.get(reference)
            if old != new:
                self._publish(name, reference, old, new, caller_arn)
        self._metadata[name]["lastModifiedDate"] = datetime.now(UTC)

    def _publish(self, name: str, reference: str, old: str | None, new: str | None, caller_arn: str) -> None:
        _, kind, short_name = reference.split("/", 2)
        verb = "Created" if old is None else "Deleted" if new is None else "Updated"
        detail = {
            "event": f"reference{verb}",
            "repositoryName": name,
            "repositoryId": self._repository(name)["repositoryId"],
            "referenceType": "branch" if kind == "heads" else "tag",
            "referenceName": short_name,
            "referenceFullName": reference,
            "callerUserArn": caller_arn,
        }
        commits = {"commitId": new, "oldCommitId": old}
        self.account.publish_event(
            source="aws.codecommit",
            detail_type="CodeCommit Repository State Change",
            detail={**detail, **{key: commit for key, commit in commits.items() if commit}},
            resources=[self._repository(name)["Arn"]],
        )

    def _repository(self, name: str) -> Json:
        if name not in self._metadata:
            raise ServiceError("RepositoryDoesNotExistException", f"{name} does not exist")
        return self._metadata[name]

    def _tag(self, name: str, tags: dict[str, str]) -> None:
        self._tags.tag_resource(name, [{"Key": key, "Value": value} for key, value in tags.items()])

    def _tagged(self, request: Json) -> str:
        """The name of the repository that a request on tags means."""
        return str(self._repository(request["resourceArn"].rpartition(":")[2])["repositoryName"])

    def _commit(self, request: Json) -> str:
        """The commit that `commitSpecifier` (an id, a branch, a tag; default HEAD) means."""
        name, specifier = request["repositoryName"], request.get("commitSpecifier", "HEAD")
        try:
            return git(
                self.path(name), "rev-parse", "--verify", "--end-of-options", f"{specifier}^{{commit}}"
            )
        except subprocess.CalledProcessError as error:
            raise ServiceError(
                "CommitDoesNotExistException", f"{specifier} names no commit of repository {name}"
            ) from error


def _entries(repository: Path, commit: str, path: str) -> list[dict[str, str]]:
    lines = git(repository, "ls-tree", "-l", "-z", commit, *([path] if path else [])).rstrip("\0").split("\0")
    entries = []
    for line in filter(None, lines):
        described, _, entry_path = line.partition("\t")
        mode, kind, object_id, size = described.split()
        entries.append({"mode": mode, "type": kind, "id": object_id, "size": size, "path": entry_path})
    return entries


def _file_mode(mode: str) -> str:
    return {"100755": "EXECUTABLE", "120000": "SYMLINK"}.get(mode, "NORMAL")


def _ids(entry: dict[str, str]) -> Json:
    if entry["type"] == "tree":
        return {"treeId": entry["id"]}
    return {"blobId": entry["id"], "fileMode": _file_mode(entry["mode"])}
