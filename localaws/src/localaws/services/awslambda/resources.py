"""The CloudFormation types of Lambda."""

import io
import zipfile

from localaws.core.account import Account
from localaws.core.errors import validation_error
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client, generated_name, ignore_missing, require_known
from localaws.services.awslambda.log_groups import LOG_GROUPS


class FunctionResource:
    type = "AWS::Lambda::Function"
    CODE = ("Code",)
    CONFIGURATION = ("Description", "Handler", "Role", "Runtime", "Environment", "Timeout", "MemorySize")
    KNOWN = frozenset(
        {
            *CODE,
            *CONFIGURATION,
            "FunctionName",
            "Tags",
            "LoggingConfig",
            "Architectures",
        }
        | {"ReservedConcurrentExecutions", "TracingConfig"}
    )

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, set(self.KNOWN))
        name = properties.get("FunctionName") or generated_name(logical_id, limit=64)
        optional: Properties = {}
        if "Tags" in properties:
            optional["Tags"] = {tag["Key"]: tag["Value"] for tag in properties["Tags"]}
        client(account, "lambda").create_function(
            FunctionName=name, Code=_code(properties["Code"]), **_configuration(properties), **optional
        )
        self._set_log_group(name, properties)
        return str(name)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {"Arn": account.arn("lambda", f"function:{physical_id}")}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        require_known(self.type, properties, set(self.KNOWN))
        functions = client(account, "lambda")
        if properties["Code"] != old["Code"]:
            functions.update_function_code(FunctionName=physical_id, **_code(properties["Code"]))
        functions.update_function_configuration(FunctionName=physical_id, **_configuration(properties))
        self._set_log_group(physical_id, properties)
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        functions = client(account, "lambda")
        ignore_missing(
            lambda: functions.delete_function(FunctionName=physical_id), "ResourceNotFoundException"
        )
        LOG_GROUPS.pop(physical_id, None)

    def _set_log_group(self, name: str, properties: Properties) -> None:
        LOG_GROUPS.pop(name, None)
        group = properties.get("LoggingConfig", {}).get("LogGroup")
        if group:
            LOG_GROUPS[name] = group


class PermissionResource:
    """A permission to invoke a function, which moto keeps and GetPolicy shows."""

    type = "AWS::Lambda::Permission"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(
            self.type, properties, {"FunctionName", "Action", "Principal", "SourceArn", "SourceAccount"}
        )
        statement = generated_name(logical_id, limit=100)
        client(account, "lambda").add_permission(StatementId=statement, **properties)
        return statement

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {"Id": physical_id}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        raise validation_error(f"{self.type} is replaced, never updated.")

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        functions = client(account, "lambda")
        ignore_missing(
            lambda: functions.remove_permission(
                FunctionName=properties["FunctionName"], StatementId=physical_id
            ),
            "ResourceNotFoundException",
        )


RESOURCES: list[Resource] = [FunctionResource(), PermissionResource()]


def _code(code: Properties) -> Properties:
    if "ZipFile" in code:  # source text in a template, bytes in the API
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("index.py", code["ZipFile"])
        return {"ZipFile": buffer.getvalue()}
    if "ImageUri" in code:
        raise validation_error(
            "The local AWS does not support functions of container images (Code.ImageUri)."
        )
    return {key: code[key] for key in ("S3Bucket", "S3Key", "S3ObjectVersion") if key in code}


def _configuration(properties: Properties) -> Properties:
    return {key: properties[key] for key in FunctionResource.CONFIGURATION if key in properties}
