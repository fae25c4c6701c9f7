"""The container images that the local AWS can stand in for."""

import re

from localaws.core.errors import ServiceError

SCIKIT_LEARN_TAG = "1.9-0-cpu-py3"
SCIKIT_LEARN = re.compile(
    r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/sagemaker-scikit-learn:"
    + re.escape(SCIKIT_LEARN_TAG)
)


def check_image(uri: str) -> None:
    """Raise ServiceError for an image other than SageMaker's scikit-learn image, in any region."""
    if not SCIKIT_LEARN.fullmatch(uri):
        raise ServiceError(
            "ValidationException",
            f"The local AWS does not support image {uri!r}; it supports SageMaker's "
            f"'<account>.dkr.ecr.<region>.amazonaws.com/sagemaker-scikit-learn:{SCIKIT_LEARN_TAG}'.",
        )
