"""The hosts of a job with several instances: their names, their addresses, their shares of the input."""

import itertools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")
SHARDED = "ShardedByS3Key"
DISTRIBUTIONS = ("FullyReplicated", SHARDED)
# Jobs at the same time use the same ports, so each has addresses of its own: 127.<block>.<host>. All of 127.0.0.0/8 is
# loopback on Linux. The first is any: a port that was just closed cannot be listened on for a minute.
_BLOCK_SIZE = 250
_BLOCKS = itertools.count(secrets.randbelow(_BLOCK_SIZE**2))


@dataclass(frozen=True)
class Cluster:
    addresses: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The names that SageMaker gives, from algo-1 on."""
        return [f"algo-{number}" for number in range(1, len(self.addresses) + 1)]

    @property
    def hosts_file(self) -> str:
        """/etc/hosts of each host."""
        lines = [f"{address} {name}" for address, name in zip(self.addresses, self.names, strict=True)]
        return "\n".join(["127.0.0.1 localhost", *lines, "::1 localhost", ""])


ALONE = Cluster(("127.0.0.1",))


def new_cluster(count: int) -> Cluster:
    if count == 1:
        return ALONE
    upper, lower = divmod(next(_BLOCKS) % _BLOCK_SIZE**2, _BLOCK_SIZE)
    return Cluster(tuple(f"127.{upper + 1}.{lower}.{number}" for number in range(1, count + 1)))


def share(items: Sequence[Item], distribution: str | None, number: int, count: int) -> list[Item]:
    """The share of host `number` of `count` of the objects under a prefix, which are sorted by key.

    SageMaker documents "approximately 1/n of the objects" of ShardedByS3Key and not which.
    """
    return list(items[number - 1 :: count] if distribution == SHARDED else items)
