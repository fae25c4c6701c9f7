"""The source of the code: a repository that the stack makes, or one that a connection reaches."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import aws_codecommit as codecommit
from aws_cdk import aws_codeconnections as codeconnections
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from ml_code.contracts import Stage
from stacks.context import FactoryContext
from stacks.permissions import allow, grant_bucket_acls
from stacks.seed import seed_asset
from stacks.settings.delivery import Connected, Push

_PROVIDERS = {"github": "GitHub", "gitlab": "GitLab", "bitbucket": "Bitbucket"}
_HOSTS = {"github": "github.com", "gitlab": "gitlab.com", "bitbucket": "bitbucket.org"}
_Trigger = codepipeline.CfnPipeline.PipelineTriggerDeclarationProperty


class SeededRepository(Construct):
    """A repository in CodeCommit whose first commit is this very project, as far as git knows it."""

    provider = "CodeCommit"
    triggers: list[_Trigger]

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        context: FactoryContext,
        branch: str,
        project_files: Mapping[str, Path],
    ) -> None:
        super().__init__(scope, id)
        self._repository = codecommit.Repository(
            self,
            "Repository",
            repository_name=context.names.factory,
            description=f"The model factory {context.names.factory}: a push to {branch} retrains",
            code=codecommit.Code.from_asset(seed_asset(self, "Seed", project_files), branch),
        )
        self._repository.apply_removal_policy(context.removal_policy)
        self.clone_url = self._repository.repository_clone_url_http
        self.configuration = {
            "RepositoryName": self._repository.repository_name,
            "BranchName": branch,
            "PollForSourceChanges": "false",
        }
        # CodeCommit has no trigger of CodePipeline's own: an event of the repository starts it.
        self.triggers = []
        self.push_events: events.EventPattern | None = events.EventPattern(
            source=["aws.codecommit"],
            detail_type=["CodeCommit Repository State Change"],
            resources=[self._repository.repository_arn],
            detail={"event": ["referenceCreated", "referenceUpdated"], "referenceName": [branch]},
        )

    def grant_fetch(self, grantee: iam.IGrantable, _store: s3.IBucket) -> None:
        """The pipeline itself writes what it fetches to the store."""
        verbs = ("CancelUploadArchive", "GetBranch", "GetCommit", "GetUploadArchiveStatus", "UploadArchive")
        actions = [f"codecommit:{verb}" for verb in verbs]
        allow(grantee, "FetchSource", actions, [self._repository.repository_arn])

    def grant_read_commit(self, grantee: iam.IGrantable) -> None:
        allow(grantee, "ReadCommit", ["codecommit:GetCommit"], [self._repository.repository_arn])


class ConnectedRepository(Construct):
    """A repository at GitHub, GitLab or Bitbucket.

    Without a connection of its own by setting, the stack makes one, which is pending until a person accepts it
    in the console.
    """

    provider = "CodeStarSourceConnection"
    push_events: events.EventPattern | None = None

    def __init__(self, scope: Construct, id: str, *, context: FactoryContext, source: Connected) -> None:
        super().__init__(scope, id)
        self.connection_arn = source.connection_arn or self._connect(context, source)
        self.clone_url = f"https://{_HOSTS[source.type]}/{source.repository}.git"
        self.configuration = {
            "ConnectionArn": self.connection_arn,
            "FullRepositoryId": source.repository,
            "BranchName": source.branch,
            "OutputArtifactFormat": "CODE_ZIP",
            "DetectChanges": "false",  # the triggers do, and know of paths
        }
        push = context.config.triggers.push
        self.triggers = [_push_trigger(source.branch, push)] if push else []

    def grant_fetch(self, grantee: iam.IGrantable, store: s3.IBucket) -> None:
        """The connection's archive comes to the store with an ACL (aws-cdk#13557)."""
        grant_bucket_acls(grantee, store)
        # The service was renamed; which of its names is asked for depends on the connection's age.
        actions = ["codeconnections:UseConnection", "codestar-connections:UseConnection"]
        allow(grantee, "FetchSource", actions, [self.connection_arn])

    def _connect(self, context: FactoryContext, source: Connected) -> str:
        connection = codeconnections.CfnConnection(
            self,
            "Connection",
            connection_name=context.names.connection,
            provider_type=_PROVIDERS[source.type],
        )
        return connection.attr_connection_arn


Source = SeededRepository | ConnectedRepository


def _push_trigger(branch: str, push: Push) -> _Trigger:
    pipeline = codepipeline.CfnPipeline
    paths = pipeline.GitFilePathFilterCriteriaProperty(
        includes=list(push.paths) or None, excludes=list(push.excluded_paths) or None
    )
    has_paths = push.paths or push.excluded_paths
    pushed = pipeline.GitPushFilterProperty(
        branches=pipeline.GitBranchFilterCriteriaProperty(includes=[branch]),
        file_paths=paths if has_paths else None,
    )
    return _Trigger(
        provider_type="CodeStarSourceConnection",
        git_configuration=pipeline.GitConfigurationProperty(source_action_name=Stage.SOURCE, push=[pushed]),
    )
