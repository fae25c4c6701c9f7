"""What a CodePipeline declaration must look like, and what its variable references mean. Pure functions."""

import re
from collections.abc import Iterator, Mapping

from localaws.core.errors import Json, ServiceError

PROVIDERS = {
    ("Source", "CodeCommit"): {"RepositoryName", "BranchName"},
    ("Source", "CodeStarSourceConnection"): {"ConnectionArn", "FullRepositoryId", "BranchName"},
    ("Build", "CodeBuild"): {"ProjectName"},
    ("Test", "CodeBuild"): {"ProjectName"},
    ("Approval", "Manual"): set(),
}
_CONFIGURATION = {
    "CodeCommit": {"RepositoryName", "BranchName", "PollForSourceChanges", "OutputArtifactFormat"},
    "CodeStarSourceConnection": {
        *("ConnectionArn", "FullRepositoryId", "BranchName", "OutputArtifactFormat", "DetectChanges"),
    },
    "CodeBuild": {"ProjectName", "PrimarySource", "EnvironmentVariables"},
    "Manual": {"NotificationArn", "CustomData", "ExternalEntityLink"},
}
_REFERENCE = re.compile(r"#\{([\w@-]+)\.([\w@-]+)\}")
_RESERVED_NAMESPACES = frozenset({"codepipeline", "variables"})


class UnresolvedVariable(Exception):
    """A reference to a variable that no action before produced."""


def check_structure(declaration: Json) -> None:
    """Raises what CreatePipeline answers to a declaration that AWS refuses or the local AWS does not support."""
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


def _known(namespaces: Mapping[str, Mapping[str, str]], namespace: str) -> str:
    if namespace not in namespaces:
        return f"there is no namespace {namespace}"
    return f"{namespace} has {', '.join(sorted(namespaces[namespace])) or 'no variable'}"


def _check_action(action: Json, *, first_stage: bool) -> None:
    kind, name = action["actionTypeId"], action["name"]
    provider = (kind["category"], kind["provider"])
    if provider not in PROVIDERS or kind["owner"] != "AWS" or kind["version"] != "1":
        raise ServiceError(
            "InvalidActionDeclarationException",
            f"The local AWS does not support the action type {kind['category']}/{kind['owner']}/{kind['provider']}/"
            f"{kind['version']} of action {name}; it supports "
            + ", ".join(f"{category}/AWS/{known}/1" for category, known in PROVIDERS),
        )
    if first_stage and kind["category"] != "Source":
        raise _structure(f"The first stage may have source actions only, but {name} is of {kind['category']}")
    if not first_stage and kind["category"] == "Source":
        raise _structure(f"Source action {name} must be in the first stage")
    configuration = action.get("configuration", {})
    missing = sorted(PROVIDERS[provider] - configuration.keys())
    strange = sorted(configuration.keys() - _CONFIGURATION[kind["provider"]])
    if missing or strange:
        raise ServiceError(
            "InvalidActionDeclarationException",
            f"Action configuration of {name}: "
            + "; ".join(
                filter(
                    None,
                    [
                        f"{', '.join(missing)} required" if missing else "",
                        f"{', '.join(strange)} not supported by the local AWS" if strange else "",
                    ],
                )
            ),
        )
    if configuration.get("OutputArtifactFormat", "CODE_ZIP") != "CODE_ZIP":
        raise _unsupported(f"OutputArtifactFormat {configuration['OutputArtifactFormat']} of action {name}")
    if kind["provider"] == "CodeCommit" and configuration.get("PollForSourceChanges", "true") != "false":
        raise _unsupported(
            f"polling: set PollForSourceChanges of action {name} to false and start by an event"
        )
    inputs = action.get("inputArtifacts", [])
    if kind["provider"] == "CodeBuild" and not inputs:
        raise _structure(f"Action {name} of CodeBuild needs an input artifact")
    if len(inputs) > 1 and "PrimarySource" not in configuration:
        raise _structure(
            f"Action {name} has {len(inputs)} input artifacts: PrimarySource must name one of them"
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
    """Those for pushes to the source action's own branch; AWS knows others, too."""
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


def _structure(message: str) -> ServiceError:
    return ServiceError("InvalidStructureException", message)


def _unsupported(what: str) -> ServiceError:
    return _structure(f"The local AWS does not support {what}.")
