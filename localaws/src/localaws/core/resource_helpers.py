"""CloudFormation types of services that moto runs: made through their APIs, property by property.

moto's own CloudFormation ignores properties that it does not know; these name them instead.
"""

import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import botocore.session
from botocore.exceptions import ClientError

from localaws.core.account import ACCOUNT_ID
from localaws.core.property_case import to_api
from localaws.core.resource import Properties, Resource
from localaws.services.cloudformation.template import validation_error
from localaws.services.kms.permissions import require_use_by_service

if TYPE_CHECKING:
    from localaws.core.account import Account

_CLIENTS: dict[tuple[int, str], Any] = {}


def client(account: "Account", service: str) -> Any:
    """Made once: a client costs as much as ten requests."""
    key = (id(account), service)
    if key not in _CLIENTS:
        _CLIENTS[key] = account.client(service)
    return _CLIENTS[key]


def generated_name(logical_id: str, *, limit: int, lower: bool = False) -> str:
    suffix = uuid4().hex[:12] if lower else uuid4().hex[:12].upper()
    name = f"{logical_id[: limit - 13]}-{suffix}"
    return name.lower() if lower else name


def require_known(type_name: str, properties: Properties, known: set[str]) -> None:
    unknown = sorted(properties.keys() - known)
    if unknown:
        raise validation_error(f"The local AWS does not support {', '.join(unknown)} of {type_name}.")


def ignore_missing(call: Any, *codes: str) -> None:
    """Deleting what is gone already is no error."""
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] not in codes:
            raise


class Bucket:
    type = "AWS::S3::Bucket"
    KNOWN: ClassVar[set[str]] = {
        *("BucketName", "BucketEncryption", "PublicAccessBlockConfiguration", "VersioningConfiguration"),
        *("LifecycleConfiguration", "Tags", "OwnershipControls", "AccessControl", "LoggingConfiguration"),
        *("NotificationConfiguration", "CorsConfiguration"),
    }

    def create(self, account: "Account", logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        name = properties.get("BucketName") or generated_name(logical_id, limit=63, lower=True)
        self._refuse_existing(account, name)
        location = (
            {}
            if account.region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": account.region}}
        )
        client(account, "s3").create_bucket(Bucket=name, **location)
        self._configure(account, name, properties)
        return str(name)

    def attributes(self, account: "Account", physical_id: str) -> dict[str, str]:
        return {
            "Arn": f"arn:aws:s3:::{physical_id}",
            "DomainName": f"{physical_id}.s3.amazonaws.com",
            "RegionalDomainName": f"{physical_id}.s3.{account.region}.amazonaws.com",
            "WebsiteURL": f"http://{physical_id}.s3-website-{account.region}.amazonaws.com",
        }

    def update(self, account: "Account", physical_id: str, properties: Properties, old: Properties) -> str:
        if properties.get("BucketName") != old.get("BucketName"):
            return self.create(account, physical_id, properties)
        require_known(self.type, properties, self.KNOWN)
        self._configure(account, physical_id, properties)
        return physical_id

    def delete(self, account: "Account", physical_id: str, properties: Properties) -> None:
        ignore_missing(lambda: client(account, "s3").delete_bucket(Bucket=physical_id), "NoSuchBucket")

    def _refuse_existing(self, account: "Account", name: str) -> None:
        # S3 in us-east-1 lets the owner create a bucket twice; CloudFormation does not.
        names = {bucket["Name"] for bucket in client(account, "s3").list_buckets()["Buckets"]}
        if name in names:
            raise validation_error(f"{name} already exists")

    def _configure(self, account: "Account", name: str, properties: Properties) -> None:
        s3 = client(account, "s3")
        if "PublicAccessBlockConfiguration" in properties:
            block = {
                key: as_boolean(value) for key, value in properties["PublicAccessBlockConfiguration"].items()
            }
            s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
        else:
            s3.delete_public_access_block(Bucket=name)
        if "BucketEncryption" in properties:
            rules = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            s3.put_bucket_encryption(
                Bucket=name,
                ServerSideEncryptionConfiguration={"Rules": [_encryption(rule) for rule in rules]},
            )
        else:
            s3.delete_bucket_encryption(Bucket=name)
        if "VersioningConfiguration" in properties:
            s3.put_bucket_versioning(
                Bucket=name, VersioningConfiguration=properties["VersioningConfiguration"]
            )
        if "LifecycleConfiguration" in properties:
            rules = [_lifecycle(rule) for rule in properties["LifecycleConfiguration"]["Rules"]]
            s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
        else:
            s3.delete_bucket_lifecycle(Bucket=name)
        if "OwnershipControls" in properties:
            s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=properties["OwnershipControls"])
        if "CorsConfiguration" in properties:
            s3.put_bucket_cors(Bucket=name, CORSConfiguration=properties["CorsConfiguration"])
        if "LoggingConfiguration" in properties:
            logging = properties["LoggingConfiguration"]
            target = {
                "TargetBucket": logging.get("DestinationBucketName", name),
                "TargetPrefix": logging.get("LogFilePrefix", ""),
            }
            s3.put_bucket_logging(Bucket=name, BucketLoggingStatus={"LoggingEnabled": target})
        if "NotificationConfiguration" in properties:
            events = properties["NotificationConfiguration"]
            require_known(f"{self.type}.NotificationConfiguration", events, {"EventBridgeConfiguration"})
            s3.put_bucket_notification_configuration(
                Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
            )
        else:
            s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={})
        if properties.get("Tags"):
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": properties["Tags"]})


def _encryption(rule: Properties) -> Properties:
    by_default = dict(rule["ServerSideEncryptionByDefault"])
    if "KMSMasterKeyID" in by_default:
        by_default["KMSMasterKeyID"] = str(by_default["KMSMasterKeyID"])
    extra = {key: value for key, value in rule.items() if key == "BucketKeyEnabled"}
    return {"ApplyServerSideEncryptionByDefault": by_default, **extra}


def _lifecycle(rule: Properties) -> Properties:
    require_known(
        "AWS::S3::Bucket.LifecycleConfiguration.Rule",
        rule,
        {
            *("Id", "Status", "Prefix", "ExpirationInDays", "NoncurrentVersionExpiration"),
            *(
                "AbortIncompleteMultipartUpload",
                "ExpiredObjectDeleteMarker",
                "NoncurrentVersionExpirationInDays",
            ),
        },
    )
    result: Properties = {
        "ID": rule.get("Id") or uuid4().hex,
        "Status": rule["Status"],
        "Filter": {"Prefix": rule.get("Prefix", "")},
    }
    expiration: Properties = {}
    if "ExpirationInDays" in rule:
        expiration["Days"] = int(rule["ExpirationInDays"])
    if "ExpiredObjectDeleteMarker" in rule:
        expiration["ExpiredObjectDeleteMarker"] = as_boolean(rule["ExpiredObjectDeleteMarker"])
    if expiration:
        result["Expiration"] = expiration
    noncurrent = rule.get("NoncurrentVersionExpiration")
    if "NoncurrentVersionExpirationInDays" in rule:
        noncurrent = {"NoncurrentDays": rule["NoncurrentVersionExpirationInDays"]}
    if noncurrent:
        result["NoncurrentVersionExpiration"] = {key: int(value) for key, value in noncurrent.items()}
    if "AbortIncompleteMultipartUpload" in rule:
        days = int(rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"])
        result["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": days}
    return result


class BucketPolicy:
    type = "AWS::S3::BucketPolicy"

    def create(self, account: "Account", logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, {"Bucket", "PolicyDocument"})
        client(account, "s3").put_bucket_policy(
            Bucket=properties["Bucket"], Policy=policy_text(properties["PolicyDocument"])
        )
        return str(properties["Bucket"])

    def attributes(self, account: "Account", physical_id: str) -> dict[str, str]:
        return {}

    def update(self, account: "Account", physical_id: str, properties: Properties, old: Properties) -> str:
        return self.create(account, physical_id, properties)

    def delete(self, account: "Account", physical_id: str, properties: Properties) -> None:
        ignore_missing(lambda: client(account, "s3").delete_bucket_policy(Bucket=physical_id), "NoSuchBucket")


class Role:
    type = "AWS::IAM::Role"
    KNOWN: ClassVar[set[str]] = {
        *(
            "RoleName",
            "AssumeRolePolicyDocument",
            "Description",
            "ManagedPolicyArns",
            "Policies",
            "Tags",
            "Path",
        ),
        *("PermissionsBoundary", "MaxSessionDuration"),
    }

    def create(self, account: "Account", logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        iam = client(account, "iam")
        name = properties.get("RoleName") or generated_name(logical_id, limit=64)
        optional: Properties = {
            key: properties[key]
            for key in ("Description", "Tags", "Path", "PermissionsBoundary")
            if key in properties
        }
        if "MaxSessionDuration" in properties:
            optional["MaxSessionDuration"] = int(properties["MaxSessionDuration"])
        iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=policy_text(properties["AssumeRolePolicyDocument"]),
            **optional,
        )
        self._set_policies(iam, name, properties, {})
        return str(name)

    def attributes(self, account: "Account", physical_id: str) -> dict[str, str]:
        role = client(account, "iam").get_role(RoleName=physical_id)["Role"]
        return {"Arn": role["Arn"], "RoleId": role["RoleId"]}

    def update(self, account: "Account", physical_id: str, properties: Properties, old: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        if any(properties.get(key) != old.get(key) for key in ("RoleName", "Path")):
            return self.create(account, re.sub(r"-\w{12}$", "", physical_id), properties)
        iam = client(account, "iam")
        iam.update_assume_role_policy(
            RoleName=physical_id, PolicyDocument=policy_text(properties["AssumeRolePolicyDocument"])
        )
        if properties.get("Description") != old.get("Description"):
            iam.update_role(RoleName=physical_id, Description=properties.get("Description", ""))
        if properties.get("Tags") != old.get("Tags"):
            iam.untag_role(RoleName=physical_id, TagKeys=[tag["Key"] for tag in old.get("Tags", [])])
            iam.tag_role(RoleName=physical_id, Tags=properties.get("Tags", []))
        if "PermissionsBoundary" in properties:
            iam.put_role_permissions_boundary(
                RoleName=physical_id, PermissionsBoundary=properties["PermissionsBoundary"]
            )
        elif "PermissionsBoundary" in old:
            iam.delete_role_permissions_boundary(RoleName=physical_id)
        self._set_policies(iam, physical_id, properties, old)
        return physical_id

    def delete(self, account: "Account", physical_id: str, properties: Properties) -> None:
        iam = client(account, "iam")
        for arn in properties.get("ManagedPolicyArns", []):
            ignore_missing(
                lambda arn=arn: iam.detach_role_policy(RoleName=physical_id, PolicyArn=arn), "NoSuchEntity"
            )
        for policy in properties.get("Policies", []):
            name = policy["PolicyName"]
            ignore_missing(
                lambda name=name: iam.delete_role_policy(RoleName=physical_id, PolicyName=name),
                "NoSuchEntity",
            )
        ignore_missing(lambda: iam.delete_role(RoleName=physical_id), "NoSuchEntity")

    def _set_policies(self, iam: Any, name: str, properties: Properties, old: Properties) -> None:
        attached, wanted = old.get("ManagedPolicyArns", []), properties.get("ManagedPolicyArns", [])
        for arn in wanted:
            if arn not in attached:
                iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        for arn in attached:
            if arn not in wanted:
                iam.detach_role_policy(RoleName=name, PolicyArn=arn)
        inline = {policy["PolicyName"]: policy["PolicyDocument"] for policy in properties.get("Policies", [])}
        for policy_name, document in inline.items():
            iam.put_role_policy(RoleName=name, PolicyName=policy_name, PolicyDocument=policy_text(document))
        for policy in old.get("Policies", []):
            if policy["PolicyName"] not in inline:
                iam.delete_role_policy(RoleName=name, PolicyName=policy["PolicyName"])


class InlinePolicy:
    """An inline policy in each of its roles, users and groups."""

    type = "AWS::IAM::Policy"
    OWNERS: ClassVar[dict[str, str]] = {"Roles": "role", "Users": "user", "Groups": "group"}

    def create(self, account: "Account", logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, {"PolicyName", "PolicyDocument", *self.OWNERS})
        self._put(account, properties)
        return generated_name(logical_id, limit=64)

    def attributes(self, account: "Account", physical_id: str) -> dict[str, str]:
        return {}

    def update(self, account: "Account", physical_id: str, properties: Properties, old: Properties) -> str:
        self._put(account, properties)
        new_owners = set(self._owners(properties))
        renamed = properties["PolicyName"] != old["PolicyName"]
        self._remove(
            account, old, [owner for owner in self._owners(old) if renamed or owner not in new_owners]
        )
        return physical_id

    def delete(self, account: "Account", physical_id: str, properties: Properties) -> None:
        self._remove(account, properties, self._owners(properties))

    def _owners(self, properties: Properties) -> list[tuple[str, str]]:
        return [(kind, name) for key, kind in self.OWNERS.items() for name in properties.get(key, [])]

    def _put(self, account: "Account", properties: Properties) -> None:
        for kind, owner in self._owners(properties):
            put = getattr(client(account, "iam"), f"put_{kind}_policy")
            put(
                **{f"{kind.title()}Name": owner},
                PolicyName=properties["PolicyName"],
                PolicyDocument=policy_text(properties["PolicyDocument"]),
            )

    def _remove(self, account: "Account", properties: Properties, owners: list[tuple[str, str]]) -> None:
        for kind, owner in owners:
            delete = getattr(client(account, "iam"), f"delete_{kind}_policy")
            arguments = {f"{kind.title()}Name": owner, "PolicyName": properties["PolicyName"]}
            ignore_missing(lambda delete=delete, arguments=arguments: delete(**arguments), "NoSuchEntity")


class ManagedPolicy:
    type = "AWS::IAM::ManagedPolicy"

    def create(self, account: "Account", logical_id: str, properties: Properties) -> str:
        require_known(
            self.type, properties, {"ManagedPolicyName", "PolicyDocument", "Description", "Path", "Roles"}
        )
        iam = client(account, "iam")
        optional = {key: properties[key] for key in ("Description", "Path") if key in properties}
        arn: str = iam.create_policy(
            PolicyName=properties.get("ManagedPolicyName") or generated_name(logical_id, limit=128),
            PolicyDocument=policy_text(properties["PolicyDocument"]),
            **optional,
        )["Policy"]["Arn"]
        for role in properties.get("Roles", []):
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)
        return arn

    def attributes(self, account: "Account", physical_id: str) -> dict[str, str]:
        return {"PolicyArn": physical_id}

    def update(self, account: "Account", physical_id: str, properties: Properties, old: Properties) -> str:
        return self.create(account, physical_id.rpartition("/")[2], properties)

    def delete(self, account: "Account", physical_id: str, properties: Properties) -> None:
        iam = client(account, "iam")
        for role in properties.get("Roles", []):
            ignore_missing(
                lambda role=role: iam.detach_role_policy(RoleName=role, PolicyArn=physical_id), "NoSuchEntity"
            )
        ignore_missing(lambda: iam.delete_policy(PolicyArn=physical_id), "NoSuchEntity")


class LogGroup:
    type = "AWS::Logs::LogGroup"
    KNOWN: ClassVar[set[str]] = {"LogGroupName", "RetentionInDays", "Tags", "LogGroupClass", "KmsKeyId"}

    def create(self, account: "Account", logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        name = properties.get("LogGroupName") or generated_name(logical_id, limit=512)
        key = self._key(account, name, properties)
        client(account, "logs").create_log_group(logGroupName=name, tags=_tag_map(properties), **key)
        self._set_retention(account, name, properties)
        return str(name)

    def attributes(self, account: "Account", physical_id: str) -> dict[str, str]:
        return {"Arn": account.arn("logs", f"log-group:{physical_id}:*")}

    def update(self, account: "Account", physical_id: str, properties: Properties, old: Properties) -> str:
        if properties.get("LogGroupName") != old.get("LogGroupName"):
            return self.create(account, physical_id, properties)
        logs = client(account, "logs")
        if key := self._key(account, physical_id, properties):
            logs.associate_kms_key(logGroupName=physical_id, **key)
        elif "KmsKeyId" in old:
            logs.disassociate_kms_key(logGroupName=physical_id)
        self._set_retention(account, physical_id, properties)
        return physical_id

    def delete(self, account: "Account", physical_id: str, properties: Properties) -> None:
        logs = client(account, "logs")
        ignore_missing(lambda: logs.delete_log_group(logGroupName=physical_id), "ResourceNotFoundException")

    def _key(self, account: "Account", name: str, properties: Properties) -> Properties:
        if "KmsKeyId" not in properties:
            return {}
        context = {"kms:encryptioncontext:aws:logs:arn": [account.arn("logs", f"log-group:{name}")]}
        service = f"logs.{account.region}.amazonaws.com"
        for action in ("kms:GenerateDataKey", "kms:Decrypt", "kms:Encrypt"):
            require_use_by_service(properties["KmsKeyId"], service, action, context)
        return {"kmsKeyId": properties["KmsKeyId"]}

    def _set_retention(self, account: "Account", name: str, properties: Properties) -> None:
        logs = client(account, "logs")
        if "RetentionInDays" in properties:
            logs.put_retention_policy(logGroupName=name, retentionInDays=int(properties["RetentionInDays"]))
        else:
            logs.delete_retention_policy(logGroupName=name)


class Rule:
    type = "AWS::Events::Rule"
    KNOWN: ClassVar[set[str]] = {
        *("Name", "Description", "EventPattern", "ScheduleExpression", "State", "Targets", "Tags", "RoleArn"),
        "EventBusName",
    }

    def create(self, account: "Account", logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        name = properties.get("Name") or generated_name(logical_id, limit=64)
        self._put(account, name, properties, [])
        return str(name)

    def attributes(self, account: "Account", physical_id: str) -> dict[str, str]:
        return {"Arn": client(account, "events").describe_rule(Name=physical_id)["Arn"]}

    def update(self, account: "Account", physical_id: str, properties: Properties, old: Properties) -> str:
        if properties.get("Name") != old.get("Name"):
            return self.create(account, physical_id, properties)
        require_known(self.type, properties, self.KNOWN)
        self._put(account, physical_id, properties, [target["Id"] for target in old.get("Targets", [])])
        return physical_id

    def delete(self, account: "Account", physical_id: str, properties: Properties) -> None:
        events = client(account, "events")
        ids = [target["Id"] for target in properties.get("Targets", [])]
        if ids:
            ignore_missing(
                lambda: events.remove_targets(Rule=physical_id, Ids=ids), "ResourceNotFoundException"
            )
        ignore_missing(lambda: events.delete_rule(Name=physical_id), "ResourceNotFoundException")

    def _put(self, account: "Account", name: str, properties: Properties, old_targets: list[str]) -> None:
        events = client(account, "events")
        keys = ("Description", "ScheduleExpression", "State", "Tags", "RoleArn", "EventBusName")
        request = {key: properties[key] for key in keys if key in properties}
        if "EventPattern" in properties:
            request["EventPattern"] = json.dumps(properties["EventPattern"])
        events.put_rule(Name=name, **request)
        targets = properties.get("Targets", [])
        gone = [identifier for identifier in old_targets if identifier not in {t["Id"] for t in targets}]
        if gone:
            events.remove_targets(Rule=name, Ids=gone)
        if targets:
            answer = events.put_targets(
                Rule=name, Targets=_as_request("events", "PutTargets", "Targets", targets)
            )
            if answer.get("FailedEntryCount"):
                raise validation_error(f"Targets were refused: {answer['FailedEntries']}")


class Parameter:
    type = "AWS::SSM::Parameter"

    def create(self, account: "Account", logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, {"Name", "Type", "Value", "Description", "Tags", "Tier"})
        name = properties.get("Name") or generated_name(logical_id, limit=100)
        self._put(account, name, properties, overwrite=False)
        return str(name)

    def attributes(self, account: "Account", physical_id: str) -> dict[str, str]:
        parameter = client(account, "ssm").get_parameter(Name=physical_id)["Parameter"]
        return {"Type": parameter["Type"], "Value": parameter["Value"]}

    def update(self, account: "Account", physical_id: str, properties: Properties, old: Properties) -> str:
        if properties.get("Name") != old.get("Name"):
            return self.create(account, physical_id, properties)
        self._put(account, physical_id, properties, overwrite=True)
        return physical_id

    def delete(self, account: "Account", physical_id: str, properties: Properties) -> None:
        ssm = client(account, "ssm")
        ignore_missing(lambda: ssm.delete_parameter(Name=physical_id), "ParameterNotFound")

    def _put(self, account: "Account", name: str, properties: Properties, *, overwrite: bool) -> None:
        optional = {key: properties[key] for key in ("Description", "Tier") if key in properties}
        client(account, "ssm").put_parameter(
            Name=name,
            Type=properties["Type"],
            Value=str(properties["Value"]),
            Overwrite=overwrite,
            **optional,
        )


class Repository:
    type = "AWS::ECR::Repository"
    KNOWN: ClassVar[set[str]] = {
        *("RepositoryName", "ImageTagMutability", "LifecyclePolicy", "RepositoryPolicyText", "Tags"),
        *("EmptyOnDelete", "ImageScanningConfiguration"),
    }

    def create(self, account: "Account", logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        ecr = client(account, "ecr")
        name = properties.get("RepositoryName") or generated_name(logical_id, limit=256, lower=True)
        keys = ("ImageTagMutability", "Tags")
        request = {key[0].lower() + key[1:]: properties[key] for key in keys if key in properties}
        ecr.create_repository(repositoryName=name, **request)
        if "LifecyclePolicy" in properties:
            ecr.put_lifecycle_policy(
                repositoryName=name, lifecyclePolicyText=properties["LifecyclePolicy"]["LifecyclePolicyText"]
            )
        if "RepositoryPolicyText" in properties:
            ecr.set_repository_policy(
                repositoryName=name, policyText=policy_text(properties["RepositoryPolicyText"])
            )
        return str(name)

    def attributes(self, account: "Account", physical_id: str) -> dict[str, str]:
        return {
            "Arn": account.arn("ecr", f"repository/{physical_id}"),
            "RepositoryUri": f"{ACCOUNT_ID}.dkr.ecr.{account.region}.amazonaws.com/{physical_id}",
        }

    def update(self, account: "Account", physical_id: str, properties: Properties, old: Properties) -> str:
        raise validation_error(f"The local AWS does not support updating {self.type}.")

    def delete(self, account: "Account", physical_id: str, properties: Properties) -> None:
        force = as_boolean(properties.get("EmptyOnDelete", False))
        ecr = client(account, "ecr")
        ignore_missing(
            lambda: ecr.delete_repository(repositoryName=physical_id, force=force),
            "RepositoryNotFoundException",
        )


class CdkMetadata:
    """What the CDK tells AWS about an app; it makes nothing, on AWS neither."""

    type = "AWS::CDK::Metadata"

    def create(self, account: "Account", logical_id: str, properties: Properties) -> str:
        return generated_name(logical_id, limit=128)

    def attributes(self, account: "Account", physical_id: str) -> dict[str, str]:
        return {}

    def update(self, account: "Account", physical_id: str, properties: Properties, old: Properties) -> str:
        return physical_id

    def delete(self, account: "Account", physical_id: str, properties: Properties) -> None:
        return


RESOURCES: list[Resource] = [
    *(Bucket(), BucketPolicy(), Role(), InlinePolicy(), ManagedPolicy(), LogGroup(), Rule(), Parameter()),
    *(Repository(), CdkMetadata()),
]


def policy_text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def as_boolean(value: Any) -> bool:
    return str(value).lower() == "true"


def _tag_map(properties: Properties) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}


@lru_cache
def _input_member(service: str, operation: str, member: str) -> Any:
    model = botocore.session.get_session().get_service_model(service)
    return model.operation_model(operation).input_shape.members[member]


def _as_request(service: str, operation: str, member: str, value: Any) -> Any:
    return to_api(value, _input_member(service, operation, member), f"{operation}.{member}")
