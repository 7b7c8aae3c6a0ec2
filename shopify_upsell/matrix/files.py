"""A matrix in one file, and back.

Comes in: a matrix or a path. Goes out: a compressed numpy archive of named arrays; no code is stored and none is run
when it is read, so a file from elsewhere can do no more than be wrong.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
from scipy import sparse

from shopify_upsell.matrix.choosing import MerchantWord
from shopify_upsell.matrix.model import Matrix
from shopify_upsell.matrix.parts import Learned

FORMAT = 2
"""Number of the layout; a change of any learned part's fields raises it."""

Arrays = dict[str, Any]


def save(matrix: Matrix, path: str | Path) -> None:
    """Write all parts, computing what was not asked for yet. The merchant's word is kept elsewhere.

    Raises: OSError if the file cannot be written.
    """
    parts = matrix.parts
    learned = Learned(parts.now, 0, parts.products, parts.kinship, parts.bundle, parts.next_step, parts.when)
    arrays: Arrays = {"format": np.int64(FORMAT)}
    _pack(learned, "", arrays)
    with Path(path).open("wb") as file:
        np.savez_compressed(file, **arrays)


def load(path: str | Path, merchant: MerchantWord | None = None) -> Matrix:
    """Read a matrix written by `save`.

    Raises: ValueError if the file is of another layout; OSError if it cannot be read.
    """
    with np.load(Path(path), allow_pickle=False) as archive:
        if "format" not in archive or int(archive["format"]) != FORMAT:
            raise ValueError(f"{path} is not a matrix of layout {FORMAT}")
        learned = _unpack(Learned, "", archive)
    return Matrix(learned, merchant or MerchantWord())


def _pack(value: Any, name: str, arrays: Arrays) -> None:
    """Add a value to the archive under a dotted name; the type decides how."""
    if is_dataclass(value):
        for field in fields(value):
            _pack(getattr(value, field.name), f"{name}.{field.name}", arrays)
    elif sparse.issparse(value):
        rows = value.tocsr()
        arrays[f"{name}.data"], arrays[f"{name}.indices"] = rows.data, rows.indices
        arrays[f"{name}.indptr"], arrays[f"{name}.shape"] = rows.indptr, np.array(rows.shape)
    elif isinstance(value, tuple):
        arrays[f"{name}.length"] = np.int64(len(value))
        for place, member in enumerate(value):
            _pack(member, f"{name}.{place}", arrays)
    else:
        array = np.asarray(value)
        # Object columns hold text; as fixed-width unicode they need no pickle.
        arrays[name] = array.astype(str) if array.dtype == object else array


def _unpack(kind: Any, name: str, archive: Any) -> Any:
    """Build a value of the given type from the archive."""
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{f.name: _unpack(hints[f.name], f"{name}.{f.name}", archive) for f in fields(kind)})
    if kind is sparse.csr_matrix:
        content = (archive[f"{name}.data"], archive[f"{name}.indices"], archive[f"{name}.indptr"])
        return sparse.csr_matrix(content, shape=tuple(archive[f"{name}.shape"]))
    if get_origin(kind) is tuple:
        length, member = int(archive[f"{name}.length"]), get_args(kind)[0]
        return tuple(_unpack(member, f"{name}.{place}", archive) for place in range(length))
    array = archive[name]
    if kind in (int, float):
        return kind(array)
    return array.astype(object) if array.dtype.kind == "U" else array
