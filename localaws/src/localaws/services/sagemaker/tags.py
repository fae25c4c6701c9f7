"""Tags of everything that SageMaker made."""

import threading
from collections.abc import Callable

from localaws.core.errors import Json, ServiceError


class Tags:
    """The operations, and what the others keep here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tags: dict[str, dict[str, str]] = {}

    def set(self, arn: str, tags: list[Json]) -> None:
        with self._lock:
            self._tags[arn] = {item["Key"]: item["Value"] for item in tags}

    def forget(self, arn: str) -> None:
        with self._lock:
            self._tags.pop(arn, None)

    def add_tags(self, request: Json) -> Json:
        return self._change(
            request["ResourceArn"],
            lambda tags: tags.update({item["Key"]: item["Value"] for item in request["Tags"]}),
        )

    def delete_tags(self, request: Json) -> Json:
        def remove(tags: dict[str, str]) -> None:
            for key in request["TagKeys"]:
                tags.pop(key, None)

        self._change(request["ResourceArn"], remove)
        return {}

    def list_tags(self, request: Json) -> Json:
        return self._change(request["ResourceArn"], lambda tags: None)

    def _change(self, arn: str, change: Callable[[dict[str, str]], object]) -> Json:
        with self._lock:
            tags = self._tags.get(arn)
            if tags is None:
                raise ServiceError("ResourceNotFound", f"Resource {arn} does not exist.")
            change(tags)
            return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
