"""A stack under test, made and changed through the API."""

import json
import time
from typing import Any
from uuid import uuid4

from localaws.core.account import Account

FUNCTION = """
import json, urllib.request
def handler(event, context):
    properties = event["ResourceProperties"]
    failed = properties.get("Fail") == "true" and event["RequestType"] != "Delete"
    answer = {
        "Status": "FAILED" if failed else "SUCCESS", "Reason": "told to fail", "PhysicalResourceId": "thing",
        "StackId": event["StackId"], "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Seen": event["RequestType"] + " " + properties["Count"]},
    }
    data = json.dumps(answer).encode()
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], data=data, method="PUT"))
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


class Stack:
    """A stack under test; every template keeps a bucket besides what the test adds."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.name = f"stack-{uuid4().hex[:8]}"
        self.api = account.client("cloudformation")

    def template(self, **resources: Any) -> dict[str, Any]:
        bucket = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": f"{self.name}-data"}}
        return {"Resources": {"Bucket": bucket, **resources}}

    def deploy(self, template: dict[str, Any]) -> str:
        exists = any(stack["StackName"] == self.name for stack in self.api.describe_stacks()["Stacks"])
        call = self.api.update_stack if exists else self.api.create_stack
        call(StackName=self.name, TemplateBody=json.dumps(template))
        return self.wait()

    def delete(self) -> str:
        stack_id = self.describe()["StackId"]
        self.api.delete_stack(StackName=self.name)
        return self.wait(stack_id)

    def wait(self, name: str | None = None) -> str:
        for _ in range(600):
            status: str = self.describe(name)["StackStatus"]
            if not status.endswith("_IN_PROGRESS"):
                return status
            time.sleep(0.05)
        raise TimeoutError(status)

    def describe(self, name: str | None = None) -> dict[str, Any]:
        stack: dict[str, Any] = self.api.describe_stacks(StackName=name or self.name)["Stacks"][0]
        return stack

    def failures(self) -> dict[str, str]:
        events = self.api.describe_stack_events(StackName=self.name)["StackEvents"]
        return {
            event["LogicalResourceId"]: event["ResourceStatusReason"]
            for event in events
            if event["ResourceStatus"].endswith("_FAILED") and event["LogicalResourceId"] != self.name
        }

    def resources(self) -> set[str]:
        found = self.api.list_stack_resources(StackName=self.name)["StackResourceSummaries"]
        return {resource["LogicalResourceId"] for resource in found}

    def custom(self, count: int, **properties: Any) -> dict[str, Any]:
        return {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Handler": "index.handler",
                    "Runtime": "python3.12",
                    "Timeout": "30",
                    "Code": {"ZipFile": FUNCTION},
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                },
            },
            "Thing": {
                "Type": "Custom::Thing",
                "Properties": {
                    "ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]},
                    "Count": count,
                    **properties,
                },
            },
        }
