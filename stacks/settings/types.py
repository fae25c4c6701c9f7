"""The types of single settings: what each may be, as a check and in words."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field

from ml_code.contracts import ENDPOINT_STAGES, MODEL_NAME_PATTERN, Tag
from ml_code.pipeline.compute import ALLOWED
from stacks.names import MONITOR

LOG_RETENTION_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
                      3288, 3653)  # fmt: skip
# Those that the factory sets itself; a deployment adds seven to its endpoint, and AWS allows fifty.
_OWN_TAGS = tuple(value for name, value in vars(Tag).items() if name.isupper())
_MAX_TAGS = 40
_MAX_PUSHING_ROLES = 20
_MAX_OWNERS = 10
_EMAIL = r"[^@\s]+@[^@\s]+\.[^@\s]+"


def _text(pattern: str, allowed: str) -> Any:
    return Field(pattern=pattern, json_schema_extra={ALLOWED: allowed})


def _in_words(allowed: str) -> Any:
    return Field(json_schema_extra={ALLOWED: allowed})


def _name(text: str) -> str:
    # Or `x` and `x-staging` would share the names of endpoint configurations, or of a pipeline.
    if set(text.split("-")[1:]) & {*ENDPOINT_STAGES, MONITOR}:
        raise ValueError("it has a word that the factory appends to names")
    return text


def _schedule(text: str) -> str:
    """EventBridge takes the singular of a rate's unit for 1 only; a cron names a day of month or of week."""
    if re.fullmatch(r"|rate\((1 (minute|hour|day)|(?!0|1 )\d+ (minutes|hours|days))\)", text):
        return text
    cron = re.fullmatch(r"cron\(([^()]+)\)", text)
    parts = cron.group(1).split(" ") if cron else []
    if (
        len(parts) != 6
        or not all(re.fullmatch(r"[0-9A-Za-z*?,/#-]+", part) for part in parts)
        or (parts[2] == "?") == (parts[4] == "?")
    ):
        raise ValueError("it is no schedule of EventBridge")
    return text


def _one_of_retention_days(days: int) -> int:
    if days not in LOG_RETENTION_DAYS:
        raise ValueError("CloudWatch Logs has no such retention")
    return days


def _pinned(image: str) -> str:
    if ":latest" in image:
        raise ValueError("it names no version")
    return image


def none_or_at_least(least: int) -> AfterValidator:
    """Check days after which objects expire; 0 keeps them."""

    def check(days: int) -> int:
        if 0 < days < least:
            raise ValueError("it is too short")
        return days

    return AfterValidator(check)


def days_in_words(least: int) -> Any:
    """Say what `none_or_at_least` allows."""
    return _in_words(f"an integer from {least} to 3650, or 0 for no limit")


def _tags(tags: Mapping[str, str]) -> Mapping[str, str]:
    characters = r"[\w\s.:/=+@-]"
    for key, text in tags.items():
        if (
            re.fullmatch(rf"(?!(?i:aws:)){characters}{{1,128}}", key) is None
            or key in _OWN_TAGS
            or re.fullmatch(rf"{characters}{{1,256}}", text) is None
        ):
            raise ValueError("a tag is not allowed")
    return tags


def _list(value: Any) -> Any:
    """A list of JSON, or of the command line: texts with commas between them."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value) if isinstance(value, list) else value


def _different(texts: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(texts)) != len(texts):
        raise ValueError("one is given twice")
    return texts


# 20 characters: the longest name from it is a bucket's, of 63; CodePipeline cuts longer names in S3 keys.
FactoryName = Annotated[
    str,
    Field(min_length=3, max_length=20),
    _text(
        r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        "3 to 20 lower-case letters, digits and single hyphens, a letter first, no hyphen last, "
        "without the words -staging, -production and -monitor",
    ),
    AfterValidator(_name),
]
RetiredModels = Annotated[
    tuple[Annotated[str, Field(pattern=rf"^{MODEL_NAME_PATTERN}$")], ...],
    BeforeValidator(_list),
    AfterValidator(_different),
    _in_words("a list of different names of models"),
]
UnprefixedModel = Annotated[
    str, _text(rf"^$|^{MODEL_NAME_PATTERN}$", "the name of a model, or empty for none")
]
Boundary = Annotated[
    str,
    _text(
        r"^$|^[A-Za-z0-9_+=,.@/-]{1,512}$|^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[A-Za-z0-9_+=,.@/-]+$",
        "the name or ARN of a managed policy, or empty for none",
    ),
]
RoleNames = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_+=,.@-]{1,64}$")], ...],
    BeforeValidator(_list),
    AfterValidator(_different),
    Field(max_length=_MAX_PUSHING_ROLES),
    _in_words(f"a list of at most {_MAX_PUSHING_ROLES} different names of IAM roles, without their paths"),
]
Tags = Annotated[
    Mapping[str, str],
    Field(max_length=_MAX_TAGS),
    AfterValidator(_tags),
    _in_words(
        f"an object of at most {_MAX_TAGS} tags, texts of the characters that AWS allows in tags, "
        f"none named aws:… or like one of the factory's own ({', '.join(_OWN_TAGS)})"
    ),
]
Repository = Annotated[str, _text(r"^[\w.-]+(/[\w.-]+)+$", "owner/name")]
Branch = Annotated[str, _text(r"^[A-Za-z0-9_.-][A-Za-z0-9_./-]{0,99}$", "the name of a branch")]
ConnectionArn = Annotated[
    str,
    _text(
        r"^$|^arn:[\w-]+:(codeconnections|codestar-connections):[\w-]+:\d{12}:connection/[\w-]+$",
        "empty, or the ARN of a connection of CodeConnections",
    ),
]
# CodePipeline takes eight patterns for each list.
Paths = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=255)], ...],
    BeforeValidator(_list),
    Field(max_length=8),
    _in_words("a list of up to 8 path patterns such as ml_code/**"),
]
Schedule = Annotated[
    str,
    AfterValidator(_schedule),
    _in_words(
        "empty, or EventBridge's rate(value unit) or cron(six fields, with ? as the day of month or of week)"
    ),
]
MemoryMb = Annotated[
    int,
    Field(ge=1024, le=6144, multiple_of=1024),
    _in_words("one of 1024, 2048, 3072, 4096, 5120, 6144"),
]
LogDays = Annotated[
    int,
    AfterValidator(_one_of_retention_days),
    Field(json_schema_extra={"enum": list(LOG_RETENTION_DAYS)}),
]
Days = Annotated[int, Field(ge=0, le=3650)]
CooldownSeconds = Annotated[int, Field(ge=0, le=3600)]
VpcId = Annotated[str, _text(r"^vpc-[0-9a-f]{8,17}$", "the id of a VPC, such as vpc-0a1b2c3d4e5f67890")]
SubnetIds = Annotated[
    tuple[Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")], ...],
    BeforeValidator(_list),
    AfterValidator(_different),
    Field(min_length=2),
    _in_words("a list of at least 2 different ids such as subnet-0a1b2c3d4e5f67890"),
]
Zones = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d[a-z]$")], ...],
    BeforeValidator(_list),
    AfterValidator(_different),
    Field(min_length=2),
    _in_words("a list of different names such as eu-central-1a, one for each private subnet"),
]
Image = Annotated[
    str,
    _text(
        r"^[\w.-]+(:\d+)?(/[\w.-]+)+(:[\w][\w.-]*|@sha256:[0-9a-f]{64})$",
        "an image with a version or digest, such as registry/name:v3.10.1 or registry/name@sha256:…",
    ),
    AfterValidator(_pinned),
]
Email = Annotated[str, _text(rf"^$|^{_EMAIL}$", "an e-mail address, or empty for none")]
Owners = Annotated[
    tuple[Annotated[str, Field(pattern=rf"^{_EMAIL}$")], ...],
    BeforeValidator(_list),
    AfterValidator(_different),
    Field(max_length=_MAX_OWNERS),
    _in_words(f"a list of at most {_MAX_OWNERS} different e-mail addresses"),
]


def by_type(default: str) -> Discriminator:
    """Tell the variants of a section apart by their `type`, which may be left out for the default."""

    def type_of(value: Any) -> str | None:
        found = value.get("type", default) if isinstance(value, Mapping) else getattr(value, "type", None)
        return found if isinstance(found, str) else None

    return Discriminator(type_of)
