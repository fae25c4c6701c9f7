"""The CloudFormation types of IAM."""

from typing import Any, ClassVar

from localaws.core.account import Account
from localaws.core.resource import Properties, Resource
from localaws.core.resource_helpers import client, generated_name, ignore_missing, policy_text, require_known


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

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
        iam = client(account, "iam")
        name = properties.get("RoleName") or generated_name(logical_id, limit=64)
        optional: Properties = {
            key: properties[key]
            for key in ("Description", "Tags", "Path", "PermissionsBoundary", "MaxSessionDuration")
            if key in properties
        }
        iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=policy_text(properties["AssumeRolePolicyDocument"]),
            **optional,
        )
        self._set_policies(iam, name, properties, {})
        return str(name)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        role = client(account, "iam").get_role(RoleName=physical_id)["Role"]
        return {"Arn": role["Arn"], "RoleId": role["RoleId"]}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        require_known(self.type, properties, self.KNOWN)
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

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
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

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
        require_known(self.type, properties, {"PolicyName", "PolicyDocument", *self.OWNERS})
        self._put(account, properties)
        return generated_name(logical_id, limit=64)

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        self._put(account, properties)
        new_owners = set(self._owners(properties))
        renamed = properties["PolicyName"] != old["PolicyName"]
        self._remove(
            account, old, [owner for owner in self._owners(old) if renamed or owner not in new_owners]
        )
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        self._remove(account, properties, self._owners(properties))

    def _owners(self, properties: Properties) -> list[tuple[str, str]]:
        return [(kind, name) for key, kind in self.OWNERS.items() for name in properties.get(key, [])]

    def _put(self, account: Account, properties: Properties) -> None:
        for kind, owner in self._owners(properties):
            put = getattr(client(account, "iam"), f"put_{kind}_policy")
            put(
                **{f"{kind.title()}Name": owner},
                PolicyName=properties["PolicyName"],
                PolicyDocument=policy_text(properties["PolicyDocument"]),
            )

    def _remove(self, account: Account, properties: Properties, owners: list[tuple[str, str]]) -> None:
        for kind, owner in owners:
            delete = getattr(client(account, "iam"), f"delete_{kind}_policy")
            arguments = {f"{kind.title()}Name": owner, "PolicyName": properties["PolicyName"]}
            ignore_missing(lambda delete=delete, arguments=arguments: delete(**arguments), "NoSuchEntity")


class ManagedPolicy:
    type = "AWS::IAM::ManagedPolicy"

    def create(self, account: Account, logical_id: str, properties: Properties) -> str:
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

    def attributes(self, account: Account, physical_id: str) -> dict[str, str]:
        return {"PolicyArn": physical_id}

    def update(self, account: Account, physical_id: str, properties: Properties, old: Properties) -> str:
        iam = client(account, "iam")
        if properties["PolicyDocument"] != old["PolicyDocument"]:
            before = iam.get_policy(PolicyArn=physical_id)["Policy"]["DefaultVersionId"]
            document = policy_text(properties["PolicyDocument"])
            iam.create_policy_version(PolicyArn=physical_id, PolicyDocument=document, SetAsDefault=True)
            iam.delete_policy_version(PolicyArn=physical_id, VersionId=before)
        roles, old_roles = set(properties.get("Roles", [])), set(old.get("Roles", []))
        for role in sorted(roles - old_roles):
            iam.attach_role_policy(RoleName=role, PolicyArn=physical_id)
        for role in sorted(old_roles - roles):
            iam.detach_role_policy(RoleName=role, PolicyArn=physical_id)
        return physical_id

    def delete(self, account: Account, physical_id: str, properties: Properties) -> None:
        iam = client(account, "iam")
        for role in properties.get("Roles", []):
            ignore_missing(
                lambda role=role: iam.detach_role_policy(RoleName=role, PolicyArn=physical_id), "NoSuchEntity"
            )
        ignore_missing(lambda: iam.delete_policy(PolicyArn=physical_id), "NoSuchEntity")


RESOURCES: list[Resource] = [Role(), InlinePolicy(), ManagedPolicy()]
