"""The model archive that SageMaker's scikit-learn image serves."""

import gzip
import io
import tarfile
from collections.abc import Mapping


def build_archive(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz of `files` (path: content); the same files give the same bytes."""
    tar_bytes = io.BytesIO()
    with tarfile.open(fileobj=tar_bytes, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            member = tarfile.TarInfo(name)  # owner, times and mode keep TarInfo's constants
            member.size = len(files[name])
            tar.addfile(member, io.BytesIO(files[name]))
    return gzip.compress(tar_bytes.getvalue(), mtime=0)
