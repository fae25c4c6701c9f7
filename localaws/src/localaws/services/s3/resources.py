"""The CloudFormation types of S3."""

from typing import ClassVar
from uuid import uuid4

from moto.s3.models import s3_backends

from localaws.core.account import Account
from localaws.core.errors import validation_error
from localaws.core.identity import ACCOUNT_ID
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import (
    client,
    generated_name,
    ignore_missing,
    policy_text,
    require_known,
)


class Bucket:
    type = "AWS::S3::Bucket"
    KNOWN: ClassVar[set[str]] = {
        *("BucketName", "BucketEncryption", "PublicAccessBlockConfiguration", "VersioningConfiguration"),
        *("LifecycleConfiguration", "Tags", "OwnershipControls", "AccessControl", "LoggingConfiguration"),
        *("NotificationConfiguration", "CorsConfiguration"),
    }

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        name = properties.get("BucketName") or generated_name(logical_id, limit=63, lower=True)
        if name in s3_backends[ACCOUNT_ID]["aws"].buckets:
            # S3 in us-east-1 lets the owner create a bucket twice; CloudFormation does not.
            raise validation_error(f"{name} already exists")
        location = (
            {}
            if account.region == "us-east-1"
            else {"CreateBucketConfiguration": {"LocationConstraint": account.region}}
        )
        client(account, "s3").create_bucket(Bucket=name, **location)
        self._configure(account, name, properties, {})
        return str(name)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {
            "Arn": f"arn:aws:s3:::{physical_id}",
            "DomainName": f"{physical_id}.s3.amazonaws.com",
            "RegionalDomainName": f"{physical_id}.s3.{account.region}.amazonaws.com",
            "WebsiteURL": f"http://{physical_id}.s3-website-{account.region}.amazonaws.com",
        }

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        self._configure(account, physical_id, properties, old)
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        ignore_missing(lambda: client(account, "s3").delete_bucket(Bucket=physical_id), "NoSuchBucket")

    def _configure(self, account: Account, name: str, properties: Properties, old: Properties) -> None:
        s3 = client(account, "s3")
        if "PublicAccessBlockConfiguration" in properties:
            block = properties["PublicAccessBlockConfiguration"]
            s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)
        elif "PublicAccessBlockConfiguration" in old:
            s3.delete_public_access_block(Bucket=name)
        if "BucketEncryption" in properties:
            rules = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            s3.put_bucket_encryption(
                Bucket=name,
                ServerSideEncryptionConfiguration={"Rules": [_encryption(rule) for rule in rules]},
            )
        elif "BucketEncryption" in old:
            s3.delete_bucket_encryption(Bucket=name)
        if "VersioningConfiguration" in properties:
            s3.put_bucket_versioning(
                Bucket=name, VersioningConfiguration=properties["VersioningConfiguration"]
            )
        if "LifecycleConfiguration" in properties:
            rules = [_lifecycle(rule) for rule in properties["LifecycleConfiguration"]["Rules"]]
            s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
        elif "LifecycleConfiguration" in old:
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
        elif "NotificationConfiguration" in old:
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
        expiration["ExpiredObjectDeleteMarker"] = rule["ExpiredObjectDeleteMarker"]
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

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, {"Bucket", "PolicyDocument"})
        client(account, "s3").put_bucket_policy(
            Bucket=properties["Bucket"], Policy=policy_text(properties["PolicyDocument"])
        )
        return str(properties["Bucket"])

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        return self.create(account, physical_id, properties)

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        ignore_missing(lambda: client(account, "s3").delete_bucket_policy(Bucket=physical_id), "NoSuchBucket")


RESOURCES: list[Resource] = [Bucket(), BucketPolicy()]
