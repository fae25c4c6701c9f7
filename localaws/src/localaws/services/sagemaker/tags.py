"""Tags of everything that SageMaker made."""

import threading

from moto.utilities.tagging_service import TaggingService

from localaws.core.errors import Json, ServiceError


class Tags:
    """The operations, and what the others keep here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tags = TaggingService()

    def set(self, arn: str, tags: list[Json]) -> None:
        with self._lock:
            self._tags.delete_all_tags_for_resource(arn)
            self._tags.tag_resource(arn, tags)

    def of(self, arn: str) -> dict[str, str]:
        """The tags of a resource, None also for one that does not exist."""
        with self._lock:
            return dict(self._tags.get_tag_dict_for_resource(arn))

    def forget(self, arn: str) -> None:
        with self._lock:
            self._tags.delete_all_tags_for_resource(arn)

    def add_tags(self, request: Json) -> Json:
        with self._lock:
            self._require(request["ResourceArn"])
            self._tags.tag_resource(request["ResourceArn"], request["Tags"])
            return self._tags.list_tags_for_resource(request["ResourceArn"])

    def delete_tags(self, request: Json) -> Json:
        with self._lock:
            self._require(request["ResourceArn"])
            self._tags.untag_resource_using_names(request["ResourceArn"], request["TagKeys"])
            return {}

    def list_tags(self, request: Json) -> Json:
        with self._lock:
            self._require(request["ResourceArn"])
            return self._tags.list_tags_for_resource(request["ResourceArn"])

    def _require(self, arn: str) -> None:
        if not self._tags.has_tags(arn):
            raise ServiceError("ResourceNotFound", f"Resource {arn} does not exist.")
