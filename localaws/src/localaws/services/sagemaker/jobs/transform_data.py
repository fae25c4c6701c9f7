"""The data of a transform job: an object into mini-batches, their answers into an object. Pure functions.

https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform.html
"""

from collections.abc import Iterator, Sequence
from io import BytesIO

MEGABYTE = 1024 * 1024


class RecordTooLarge(Exception):
    """A record, or an object that is not split, is larger than MaxPayloadInMB."""


def batches(content: bytes, *, split: str, strategy: str, max_payload_bytes: int) -> Iterator[bytes]:
    """The content of each request; raises RecordTooLarge."""
    records = list(BytesIO(content)) if split == "Line" else [content]
    batch: list[bytes] = []
    size = 0
    for record in records:
        if len(record) > max_payload_bytes:
            raise RecordTooLarge(f"{len(record)} bytes, allowed are {max_payload_bytes}")
        if batch and (strategy == "SingleRecord" or size + len(record) > max_payload_bytes):
            yield b"".join(batch)
            batch, size = [], 0
        batch.append(record)
        size += len(record)
    if batch:
        yield b"".join(batch)


def assemble(answers: Sequence[bytes], with_lines: bool) -> bytes:
    """The output object; with lines, each answer ends with a newline."""
    if not with_lines:
        return b"".join(answers)
    return b"".join(answer if answer.endswith(b"\n") else answer + b"\n" for answer in answers)
