"""Files of raw data, CSV and Parquet, to one checked table in memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml_code.table.blocks import read_blocks
from ml_code.table.columns import Schema
from ml_code.table.frames import decode
from ml_code.table.summary import check_unique, keys_of


def read_files(
    folder: Path, names: Sequence[str], schema: Schema, ignored: Sequence[str] = ()
) -> pd.DataFrame:
    """The rows of all files, in the order of `names`; `ignored` columns of the files are left out.

    SchemaError names the file, and of each column the rules that are broken, how often, and the first rows.
    """
    files = [(name, list(read_blocks(folder / name, name, schema, frozenset(ignored)))) for name in names]
    check_unique([(name, [keys_of(block, schema) for block in blocks]) for name, blocks in files], schema)
    blocks = [block for _, found in files for block in found]
    texts: dict[str, list[Any]] = {
        column.name: [text for block in blocks for text in block.texts[column.name]]
        for column in schema.columns
        if column.is_text
    }
    return decode(np.concatenate([block.values for block in blocks]), schema, texts)
