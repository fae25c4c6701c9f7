"""The condition keys of SageMaker's actions, each from the members of the request that it is about.

What an action has is what the Service Authorization Reference lists for it: a policy that asks for another key never
matches, so that a role limited by it may do nothing.
"""

from collections.abc import Mapping

from localaws.core.errors import Json
from localaws.core.identity import ACCOUNT_ID
from localaws.core.permission import ConditionKeys, Operation, member_values

Members = Mapping[str, tuple[str, ...]]


def _vpc(parent: str = "") -> Members:
    return {
        "VpcSubnets": (f"{parent}VpcConfig.Subnets[]",),
        "VpcSecurityGroupIds": (f"{parent}VpcConfig.SecurityGroupIds[]",),
    }


def _isolation(parent: str = "") -> Members:
    return {"NetworkIsolation": (f"{parent}EnableNetworkIsolation",)}


def _encryption(parent: str = "") -> Members:
    return {"InterContainerTrafficEncryption": (f"{parent}EnableInterContainerTrafficEncryption",)}


def _training(*parents: str) -> Members:
    """The keys of the training job, or of those that a tuning job describes."""
    file_system = "InputDataConfig[].DataSource.FileSystemDataSource."
    keys = {
        "InstanceTypes": ("ResourceConfig.InstanceType", "ResourceConfig.InstanceGroups[].InstanceType"),
        "MaxRuntimeInSeconds": ("StoppingCondition.MaxRuntimeInSeconds",),
        "OutputKmsKey": ("OutputDataConfig.KmsKeyId",),
        "VolumeKmsKey": ("ResourceConfig.VolumeKmsKeyId",),
        "FileSystemId": (f"{file_system}FileSystemId",),
        "FileSystemType": (f"{file_system}FileSystemType",),
        "FileSystemAccessMode": (f"{file_system}FileSystemAccessMode",),
        "FileSystemDirectoryPath": (f"{file_system}DirectoryPath",),
        **_vpc(),
        **_isolation(),
        **_encryption(),
    }
    return {
        key: tuple(f"{parent}{member}" for parent in parents for member in members)
        for key, members in keys.items()
    }


_TUNED = _training("TrainingJobDefinition.", "TrainingJobDefinitions[].")
_TUNING_RESOURCES = [
    f"{definition}HyperParameterTuningResourceConfig."
    for definition in ("TrainingJobDefinition.", "TrainingJobDefinitions[].")
]
CONDITION_KEYS: Mapping[str, Members] = {
    "CreateProcessingJob": {
        "InstanceTypes": ("ProcessingResources.ClusterConfig.InstanceType",),
        "MaxRuntimeInSeconds": ("StoppingCondition.MaxRuntimeInSeconds",),
        "OutputKmsKey": ("ProcessingOutputConfig.KmsKeyId",),
        "VolumeKmsKey": ("ProcessingResources.ClusterConfig.VolumeKmsKeyId",),
        **_vpc("NetworkConfig."),
        **_isolation("NetworkConfig."),
        **_encryption("NetworkConfig."),
    },
    "CreateTrainingJob": {
        **_training(""),
        "KeepAlivePeriod": ("ResourceConfig.KeepAlivePeriodInSeconds",),
        "EnableRemoteDebug": ("RemoteDebugConfig.EnableRemoteDebug",),
    },
    "CreateHyperParameterTuningJob": {
        **_TUNED,
        "InstanceTypes": (
            *_TUNED["InstanceTypes"],
            *(
                f"{resources}{member}"
                for resources in _TUNING_RESOURCES
                for member in ("InstanceType", "InstanceConfigs[].InstanceType")
            ),
        ),
        "VolumeKmsKey": (
            *_TUNED["VolumeKmsKey"],
            *(f"{resources}VolumeKmsKeyId" for resources in _TUNING_RESOURCES),
        ),
    },
    "CreateTransformJob": {
        "InstanceTypes": ("TransformResources.InstanceType",),
        "ModelArn": ("ModelName",),
        "OutputKmsKey": ("TransformOutput.KmsKeyId",),
        "VolumeKmsKey": ("TransformResources.VolumeKmsKeyId",),
    },
    "CreateModel": {**_vpc(), **_isolation()},
    "CreateEndpointConfig": {
        "AcceleratorTypes": ("ProductionVariants[].AcceleratorType",),
        "InstanceTypes": ("ProductionVariants[].InstanceType", "ShadowProductionVariants[].InstanceType"),
        "ModelArn": ("ProductionVariants[].ModelName", "ShadowProductionVariants[].ModelName"),
        "ServerlessMaxConcurrency": ("ProductionVariants[].ServerlessConfig.MaxConcurrency",),
        "ServerlessMemorySize": ("ProductionVariants[].ServerlessConfig.MemorySizeInMB",),
        "VolumeKmsKey": ("KmsKeyId",),
        **_vpc(),
        **_isolation(),
    },
    "StartPipelineExecution": {"PipelineVersionId": ("PipelineVersionId",)},
    "InvokeEndpoint": {"TargetModel": ("TargetModel",)},
}
# AWS's examples deny what is "false", also for requests that leave it out.
_FALSE_WHEN_ABSENT = ("NetworkIsolation", "InterContainerTrafficEncryption")


def condition_keys(region: str, operation: Operation) -> ConditionKeys:
    """The condition keys of the request; a key without a value is absent."""
    context: ConditionKeys = {}
    for key, members in CONDITION_KEYS.get(operation.name, {}).items():
        values = _values(operation.parameters, members)
        if key == "ModelArn":
            values = [
                name if name.startswith("arn:") else f"arn:aws:sagemaker:{region}:{ACCOUNT_ID}:model/{name}"
                for name in values
            ]
        if key in _FALSE_WHEN_ABSENT and not values:
            values = ["false"]
        if values:
            context[f"sagemaker:{key.lower()}"] = values
    return context


def _values(parameters: Json, members: tuple[str, ...]) -> list[str]:
    found = [value for member in members for value in member_values(parameters, member)]
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in found]
    return list(dict.fromkeys(texts))
