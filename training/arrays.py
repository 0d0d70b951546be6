"""Arrays as values: nobody can change them, and equal content has one name on every machine."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scalar = TypeVar("Scalar", bound=np.generic)


def read_only(values: ArrayLike, dtype: type[Scalar]) -> NDArray[Scalar]:
    """The values as an array that cannot be written to; copied only if somebody else still could.

    Raises:
        ValueError: the values do not fit the dtype without loss.
    """
    given = np.asarray(values)
    array = given.astype(dtype, copy=False)
    if array is not given and not np.array_equal(array, given):
        raise ValueError(f"{given.dtype} values do not fit {np.dtype(dtype)}")
    if array.flags.writeable or array.base is not None:
        array = array.copy()
        array.flags.writeable = False
    return array


def fingerprint(parts: Mapping[str, NDArray[Any] | str]) -> str:
    """Hex sha256 over named arrays and strings, in the order given: shapes and little-endian bytes, not memory."""
    digest = sha256()
    for name, part in parts.items():
        if isinstance(part, str):
            digest.update(f"{name}={part}\n".encode())
        else:
            content = np.ascontiguousarray(part.astype(part.dtype.newbyteorder("<"), copy=False))
            digest.update(f"{name}:{content.dtype.str}{content.shape}\n".encode())
            digest.update(content.tobytes())
    return digest.hexdigest()
