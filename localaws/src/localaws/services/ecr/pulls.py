"""The permissions of a role with which a service pulls an image, AWS's own images included (deep-learning-containers#759).

https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html lists these actions for jobs and models.
"""

import re

from localaws.core.errors import ServiceError
from localaws.core.identity import Credentials
from localaws.services.iam.authorization import authorize_session

ACTIONS = ("BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage")
_IMAGE = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)")


def require_pull(credentials: Credentials, role_arn: str, image_uri: str) -> None:
    """Raise ServiceError unless the role may pull the image; registries other than ECR ask for no permission."""
    match = _IMAGE.match(image_uri)
    if match is None:
        return
    account, region, repository = match.groups()
    arn = f"arn:aws:ecr:{region}:{account}:repository/{repository}"
    for action, resource in (("GetAuthorizationToken", "*"), *((action, arn) for action in ACTIONS)):
        try:
            authorize_session(credentials, f"ecr:{action}", resource)
        except ServiceError as error:
            raise ServiceError(
                "AccessDenied",
                f"The role '{role_arn}' does not have {action} permission for the image: '{image_uri}'.",
                403,
            ) from error
