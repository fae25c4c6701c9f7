"""The CloudFormation types of databases. moto keeps them; none of them runs."""

from typing import Any

from localaws.core.api_type import ApiType, api_request
from localaws.core.resource import Properties, Resource


def _subnet_group(rds: Any, properties: Properties) -> str:
    name = properties.get("DBSubnetGroupName", properties["LogicalId"].lower())
    request = api_request("rds", "CreateDBSubnetGroup", {**properties, "DBSubnetGroupName": name})
    return str(rds.create_db_subnet_group(**request)["DBSubnetGroup"]["DBSubnetGroupName"])


def _instance(rds: Any, properties: Properties) -> str:
    renamed = {"VPCSecurityGroups": "VpcSecurityGroupIds"}
    left_out = ("MasterUserSecret", "DeleteAutomatedBackups")
    request = {renamed.get(key, key): value for key, value in properties.items() if key not in left_out}
    if secret := properties.get("MasterUserSecret"):
        request["MasterUserSecretKmsKeyId"] = secret["KmsKeyId"]
    request["DBInstanceIdentifier"] = properties["LogicalId"].lower()[:63]
    made = rds.create_db_instance(**api_request("rds", "CreateDBInstance", request))
    return str(made["DBInstance"]["DBInstanceIdentifier"])


def _instance_attributes(rds: Any, identifier: str) -> dict[str, str]:
    found = rds.describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"][0]
    values = {
        "DBInstanceArn": found["DBInstanceArn"],
        "Endpoint.Address": found["Endpoint"]["Address"],
        "Endpoint.Port": str(found["Endpoint"]["Port"]),
    }
    if secret := found.get("MasterUserSecret"):
        values["MasterUserSecret.SecretArn"] = secret["SecretArn"]
    return values


def _delete_instance(rds: Any, identifier: str, properties: Properties) -> None:
    rds.delete_db_instance(DBInstanceIdentifier=identifier, SkipFinalSnapshot=True)


RESOURCES: list[Resource] = [
    ApiType(
        type="AWS::RDS::DBSubnetGroup",
        service="rds",
        known={"DBSubnetGroupDescription", "DBSubnetGroupName", "SubnetIds", "Tags"},
        create_=_subnet_group,
        delete_=lambda rds, name, _: rds.delete_db_subnet_group(DBSubnetGroupName=name),
        missing=("DBSubnetGroupNotFoundFault",),
    ),
    ApiType(
        type="AWS::RDS::DBInstance",
        service="rds",
        known={
            *("AllocatedStorage", "AutoMinorVersionUpgrade", "BackupRetentionPeriod", "CopyTagsToSnapshot"),
            *(
                "DBInstanceClass",
                "DBName",
                "DBSubnetGroupName",
                "DeleteAutomatedBackups",
                "Engine",
                "MultiAZ",
            ),
            *("EngineVersion", "KmsKeyId", "ManageMasterUserPassword", "MasterUserSecret", "MasterUsername"),
            *("PubliclyAccessible", "StorageEncrypted", "StorageType", "Tags", "VPCSecurityGroups"),
        },
        create_=_instance,
        delete_=_delete_instance,
        attributes_=_instance_attributes,
        missing=("DBInstanceNotFound", "DBInstanceNotFoundFault"),
    ),
]
