"""The source of the code, and the triggers of a delivery."""

from typing import Annotated, Literal

from pydantic import Field

from ml_code.pipeline.compute import Off, Section, Switch
from stacks.settings.types import Branch, ConnectionArn, Paths, Repository, Schedule


class CodeCommit(Section):
    """A repository that the stack makes and seeds with this project; it is named after the factory."""

    type: Literal["codecommit"] = Field(
        default="codecommit", description="a repository that the stack makes and seeds"
    )
    branch: Branch = Field(default="main", description="the branch whose pushes retrain")


class Connected(Section):
    """Your repository at a git host, by CodeConnections."""

    type: Literal["github", "gitlab", "bitbucket"] = Field(description="the host of your repository")
    repository: Repository = Field(description="your repository")
    branch: Branch = Field(default="main", description="the branch whose pushes retrain")
    connection_arn: ConnectionArn = Field(
        default="",
        description="the connection. Empty: the stack makes one, pending until a person accepts it in the console "
        "(Developer Tools, Connections)",
    )


class Push(Section):
    """A push to the branch starts a delivery."""

    paths: Paths = Field(
        default=(),
        description="a push starts a delivery only if it touches one of these files, such as `models/**`; empty: any file. "
        "With a connection only: CodeCommit's events do not name files",
    )
    excluded_paths: Paths = Field(
        default=(),
        description="a push that touches only these files starts no delivery; with a connection only",
    )


class NewData(Section):
    """Objects under `raw/` of the data bucket start one delivery, once no more come."""

    quiet_seconds: int = Field(default=300, ge=10, le=86_400, description="how long no object must have come")


class Triggers(Section):
    """The triggers of a delivery."""

    push: Annotated[Push | Off, Switch] = Field(
        default=Push(), description="a push to the branch starts a delivery"
    )
    schedule: Schedule = Field(
        default="", description="starts deliveries by the clock, in UTC: `rate(1 day)`, `cron(0 3 ? * MON *)`"
    )
    new_data: Annotated[NewData | Off, Switch] = Field(
        default=False,
        description="objects under `raw/` of the data bucket start one delivery, once no more come",
    )
