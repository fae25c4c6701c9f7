"""The marks of `cdk bootstrap`: a parameter, and a stack with the options that it was made with."""

from typing import Any

PARAMETER = "/cdk-bootstrap/{qualifier}/version"


def toolkit_template(qualifier: str, boundary: str = "") -> dict[str, Any]:
    parameters = {"Qualifier": qualifier, "InputPermissionsBoundary": boundary}
    return {
        "Parameters": {key: {"Type": "String", "Default": value} for key, value in parameters.items()},
        "Resources": {
            "Version": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {
                    "Type": "String",
                    "Name": PARAMETER.format(qualifier=qualifier),
                    "Value": "28",
                },
            }
        },
        "Outputs": {"BootstrapVersion": {"Value": "28"}},
    }
