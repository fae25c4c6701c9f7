"""Checks of a pipeline's declaration, and the values of its variable references. Pure functions."""

import re
from collections.abc import Iterator, Mapping

from localaws.core.errors import Json, ServiceError

PROVIDERS = {
    ("Source", "CodeCommit"): {"RepositoryName", "BranchName"},
    ("Source", "CodeStarSourceConnection"): {"ConnectionArn", "FullRepositoryId", "BranchName"},
    ("Source", "S3"): {"S3Bucket", "S3ObjectKey"},
    ("Build", "CodeBuild"): {"ProjectName"},
    ("Test", "CodeBuild"): {"ProjectName"},
    ("Approval", "Manual"): set(),
}
_CONFIGURATION = {
    "CodeCommit": {"RepositoryName", "BranchName", "PollForSourceChanges", "OutputArtifactFormat"},
    "CodeStarSourceConnection": {
        *("ConnectionArn", "FullRepositoryId", "BranchName", "OutputArtifactFormat", "DetectChanges"),
    },
    "S3": {"S3Bucket", "S3ObjectKey", "PollForSourceChanges"},
    "CodeBuild": {"ProjectName", "PrimarySource", "EnvironmentVariables"},
    "Manual": {"NotificationArn", "CustomData", "ExternalEntityLink"},
}
# The least and the greatest number of input and of output artifacts.
_ARTIFACTS = {
    "Source": ((0, 0), (1, 1)),
    "Build": ((1, 5), (0, 5)),
    "Test": ((1, 5), (0, 5)),
    "Approval": ((0, 0), (0, 0)),
}
_REFERENCE = re.compile(r"#\{([\w@-]+)\.([\w@-]+)\}")
_RESERVED_NAMESPACES = frozenset({"codepipeline", "variables"})


class UnresolvedVariable(Exception):
    """A reference to a variable that no action before produced."""


def check_structure(declaration: Json) -> None:
    """Raise what CreatePipeline answers to a declaration that AWS refuses or the local AWS does not support."""
    _refuse_unsupported(declaration)
    stages = declaration["stages"]
    if len(stages) < 2:
        raise _structure("Pipeline must have at least two stages")
    _require_unique("stage", [stage["name"] for stage in stages])
    for number, stage in enumerate(stages):
        if not stage["actions"]:
            raise _structure(f"Stage {stage['name']} must have at least one action")
        _require_unique(f"action in stage {stage['name']}", [action["name"] for action in stage["actions"]])
        for action in stage["actions"]:
            _check_action(action, first_stage=number == 0)
    actions = [action for stage in stages for action in stage["actions"]]
    _require_unique("namespace", [action["namespace"] for action in actions if "namespace" in action])
    _require_unique(
        "output artifact",
        [artifact["name"] for action in actions for artifact in action.get("outputArtifacts", [])],
    )
    _check_order(stages)


def resolve(configuration: Mapping[str, str], namespaces: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The configuration with each #{namespace.key} replaced; raises UnresolvedVariable."""

    def value(match: re.Match[str]) -> str:
        namespace, key = match.groups()
        if key not in namespaces.get(namespace, {}):
            raise UnresolvedVariable(
                f"The variable {match.group()} could not be resolved: {_known(namespaces, namespace)}"
            )
        return namespaces[namespace][key]

    return {key: _REFERENCE.sub(value, text) for key, text in configuration.items()}


def action_groups(stage: Json) -> Iterator[list[Json]]:
    """The stage's actions in their order; those of one group run side by side."""
    for order in sorted({action.get("runOrder", 1) for action in stage["actions"]}):
        yield [action for action in stage["actions"] if action.get("runOrder", 1) == order]


def pipeline_variables(declaration: Json, given: list[Json]) -> dict[str, str]:
    """Values of the pipeline's own variables; raises ValidationException for unknown and missing ones."""
    declared = {variable["name"]: variable for variable in declaration.get("variables", [])}
    values = {variable["name"]: variable["value"] for variable in given}
    unknown = sorted(values.keys() - declared.keys())
    if unknown:
        raise ServiceError(
            "ValidationException", f"Pipeline {declaration['name']} has no variable {', '.join(unknown)}"
        )
    for name, variable in declared.items():
        if name not in values:
            if "defaultValue" not in variable:
                raise ServiceError("ValidationException", f"The variable {name} has no default: give a value")
            values[name] = variable["defaultValue"]
    return values


def check_revisions(declaration: Json, revisions: list[Json]) -> None:
    """Raise ValidationException unless each revision is one of a source action of the pipeline."""
    providers = {
        action["name"]: action["actionTypeId"]["provider"] for action in declaration["stages"][0]["actions"]
    }
    for revision in revisions:
        name, kind = revision["actionName"], revision["revisionType"]
        if name not in providers:
            raise ServiceError(
                "ValidationException", f"Pipeline {declaration['name']} has no source action {name}"
            )
        wanted = "S3_OBJECT_VERSION_ID" if providers[name] == "S3" else "COMMIT_ID"
        if kind != wanted:
            raise ServiceError(
                "ValidationException",
                f"The local AWS takes a revision of type {wanted} for source action {name}, not {kind}",
            )


def _known(namespaces: Mapping[str, Mapping[str, str]], namespace: str) -> str:
    if namespace not in namespaces:
        return f"there is no namespace {namespace}"
    return f"{namespace} has {', '.join(sorted(namespaces[namespace])) or 'no variable'}"


def _check_action(action: Json, *, first_stage: bool) -> None:
    kind, name = action["actionTypeId"], action["name"]
    provider = (kind["category"], kind["provider"])
    if provider not in PROVIDERS or kind["owner"] != "AWS" or kind["version"] != "1":
        raise _declaration(
            f"The local AWS does not support the action type {kind['category']}/{kind['owner']}/{kind['provider']}/"
            f"{kind['version']} of action {name}; it supports "
            + ", ".join(f"{category}/AWS/{known}/1" for category, known in PROVIDERS)
        )
    if first_stage and kind["category"] != "Source":
        raise _structure(f"The first stage may have source actions only, but {name} is of {kind['category']}")
    if not first_stage and kind["category"] == "Source":
        raise _structure(f"Source action {name} must be in the first stage")
    configuration = action.get("configuration", {})
    for key in sorted(PROVIDERS[provider] - configuration.keys()):
        raise _declaration(
            f"Action configuration for action '{name}' is missing required configuration '{key}'"
        )
    for key in sorted(configuration.keys() - _CONFIGURATION[kind["provider"]]):
        raise _declaration(
            f"Action configuration for action '{name}' contains unknown configuration '{key}', or one that the"
            " local AWS does not support"
        )
    if configuration.get("OutputArtifactFormat", "CODE_ZIP") != "CODE_ZIP":
        raise _unsupported(f"OutputArtifactFormat {configuration['OutputArtifactFormat']} of action {name}")
    polls = "PollForSourceChanges" in _CONFIGURATION[kind["provider"]]
    if polls and configuration.get("PollForSourceChanges", "true") != "false":
        raise _unsupported(
            f"polling: set PollForSourceChanges of action {name} to false and start by an event"
        )
    _check_artifacts(action)


def _check_artifacts(action: Json) -> None:
    """Check an action's numbers of artifacts by AWS's reference of the pipeline's structure, and a build's primary one."""
    name, kind = action["name"], action["actionTypeId"]
    for member, (least, most) in zip(
        ("inputArtifacts", "outputArtifacts"), _ARTIFACTS[kind["category"]], strict=True
    ):
        number = len(action.get(member, []))
        if not least <= number <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            raise _structure(f"Action {name} has {number} {member}; {kind['provider']} takes {wanted}")
    inputs = [artifact["name"] for artifact in action.get("inputArtifacts", [])]
    primary = action.get("configuration", {}).get("PrimarySource")
    if len(inputs) > 1 and primary is None:
        raise _declaration(
            f"Action configuration for action '{name}' is missing required configuration 'PrimarySource'"
        )
    if primary is not None and primary not in inputs:
        raise _declaration(
            f"PrimarySource of action '{name}' must be one of its input artifacts, {', '.join(inputs)}, not {primary}"
        )


def _check_order(stages: list[Json]) -> None:
    """Artifacts and namespaces must come from actions that are sure to run before."""
    artifacts: set[str] = set()
    namespaces = set(_RESERVED_NAMESPACES)
    for stage in stages:
        for group in action_groups(stage):
            for action in group:
                for artifact in action.get("inputArtifacts", []):
                    if artifact["name"] not in artifacts:
                        raise _structure(
                            f"Input artifact {artifact['name']} of action {action['name']} is no output artifact of"
                            " an action before it"
                        )
                for text in action.get("configuration", {}).values():
                    for namespace, key in _REFERENCE.findall(text):
                        if namespace not in namespaces:
                            raise ServiceError(
                                "InvalidActionDeclarationException",
                                f"Action {action['name']} refers to #{{{namespace}.{key}}}, but no action before it"
                                f" has the namespace {namespace}",
                            )
            for action in group:
                artifacts.update(artifact["name"] for artifact in action.get("outputArtifacts", []))
                namespaces.update([action["namespace"]] if "namespace" in action else [])


def _refuse_unsupported(declaration: Json) -> None:
    if declaration.get("pipelineType", "V1") != "V2":
        raise _unsupported(f"pipelineType {declaration.get('pipelineType', 'V1')}, only V2")
    if declaration.get("executionMode", "SUPERSEDED") == "PARALLEL":
        raise _unsupported("executionMode PARALLEL, only SUPERSEDED and QUEUED")
    if declaration.get("artifactStores"):
        raise _unsupported("artifactStores")
    _check_triggers(declaration)
    if "artifactStore" not in declaration:
        raise _structure("Pipeline must have an artifactStore")
    for stage in declaration["stages"]:
        for member in ("onFailure", "onSuccess", "beforeEntry", "blockers"):
            if stage.get(member):
                raise _unsupported(f"{member} of stage {stage['name']}")
        for action in stage["actions"]:
            for member in ("commands", "outputVariables", "environmentVariables", "region"):
                if action.get(member):
                    raise _unsupported(f"{member} of action {action['name']}")


def _check_triggers(declaration: Json) -> None:
    """Git triggers are for connections only."""
    connected = {
        action["name"]: action["configuration"]["BranchName"]
        for stage in declaration["stages"]
        for action in stage["actions"]
        if action["actionTypeId"]["provider"] == "CodeStarSourceConnection"
    }
    for trigger in declaration.get("triggers", []):
        source = trigger["gitConfiguration"]["sourceActionName"]
        if trigger["providerType"] != "CodeStarSourceConnection" or source not in connected:
            raise _structure(f"The trigger's source action {source} is no action of CodeStarSourceConnection")
        _check_filters(trigger["gitConfiguration"], connected[source])
    if len(declaration.get("triggers", [])) > len(connected):
        raise _structure("There is more than one trigger for a source action")


def _check_filters(configuration: Json, branch: str) -> None:
    """Check a trigger's filters; only those on pushes to the source action's branch are supported."""
    source = configuration["sourceActionName"]
    if "pullRequest" in configuration or not configuration.get("push"):
        raise _unsupported(f"triggers of {source} for other than pushes")
    for push in configuration["push"]:
        if "tags" in push:
            raise _unsupported(f"triggers of {source} for tags")
        if push.get("branches") != {"includes": [branch]}:
            raise _unsupported(f"triggers of {source} for other branches than its BranchName {branch}")


def _require_unique(what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _structure(f"Each {what} needs a name of its own; more than one is called {', '.join(twice)}")


def _declaration(message: str) -> ServiceError:
    return ServiceError("InvalidActionDeclarationException", message)


def _structure(message: str) -> ServiceError:
    return ServiceError("InvalidStructureException", message)


def _unsupported(what: str) -> ServiceError:
    return _structure(f"The local AWS does not support {what}.")
