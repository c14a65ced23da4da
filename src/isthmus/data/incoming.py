"""From whatever a user hands over to what is known inside: arrays, frames and sparse matrices.

Nothing is scaled or laid out here, and what can be kept is kept: types, names, missing values.
"""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from numbers import Number
from os import PathLike
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.data._given import as_stream
from isthmus.data._sequences import is_ragged
from isthmus.data.datasets import Data, Part
from isthmus.data.frames import check_names, is_frame
from isthmus.errors import DataWarning, InputError, InputTypeError


def incoming(X: Any, name: str = "X") -> Any:
    """What is handed in as something that is known inside; what is in one of those forms passes.

    Tensors of any type and place, polars and Arrow tables, lists and arrays of objects become
    arrays and pandas frames, sparse matrices CSR; masked values, None and ``pandas.NA`` become NaN.
    Of a whole :class:`~isthmus.data.Data` the training part is taken, with a warning; a part stays
    a part. Frames and lists of sequences pass as they are. What is read lazily, such as a torch
    ``Dataset``, becomes a :class:`~isthmus.data.streams.Stream`.

    Args:
        X: examples, or codes.
        name: what messages call them.

    Raises:
        InputError: for text, paths, dictionaries, dates, complex numbers, and values that are no
            numbers.
    """
    if isinstance(X, np.ndarray):
        return _of_array(X, name)
    if isinstance(X, Part):
        x = incoming(X.x, name)
        return X if x is X.x else replace(X, x=x)
    if isinstance(X, Data):
        warnings.warn(
            f"{name} is the whole data set {X.name!r}, of which the training part is taken: pass"
            " data.train or data.test to say which is meant.",
            DataWarning,
            stacklevel=3,
        )
        return incoming(X.train, name)
    if isinstance(X, Tensor):
        return _of_tensor(X, name)
    if isinstance(X, list | tuple):
        return _of_list(X, name)
    if X is None or isinstance(X, str | bytes | PathLike | Number | Set):
        raise InputError(
            f"{name}={reprlib.repr(X)} holds no examples: give an array, or read a file with"
            " isthmus.data.load first."
        )
    if getattr(getattr(X, "dtype", None), "kind", None) == "c":
        raise _complex(X.dtype, name)
    if hasattr(X, "tocsr"):
        return X.tocsr()
    if isinstance(X, Mapping):
        raise _no_table(f"a {type(X).__name__}", name)
    frame = _of_frame(X)
    if is_frame(frame):
        check_names(frame, name)
        return frame
    stream = as_stream(frame)
    return frame if stream is None else stream


def codes_array(Z: Any) -> np.ndarray:
    """Codes that are handed in, as an array of numbers.

    Raises:
        InputError: for anything of which none can be made.
    """
    codes = incoming(Z, "codes")
    if is_frame(codes):
        codes = _numbers(codes.to_numpy(dtype=object), "codes")
    if not isinstance(codes, np.ndarray) or codes.dtype.kind not in "biuf":
        raise InputError(
            f"codes={reprlib.repr(Z)} are no array of numbers: give what transform gives, an array"
            " of shape (n, dimensions)."
        )
    return codes


def require_rows(x: Any, name: str = "X") -> None:
    """Refuse a single number, and a vector that may be one row or one column.

    Raises:
        InputError: the message says how either is written, and holds none of the values.
    """
    axes = getattr(x, "ndim", 2)
    if axes > 2 and 0 in x.shape[1:]:
        raise InputError(
            f"{name} has the shape {tuple(x.shape)}, in which an example holds no values: give"
            " examples that hold some."
        )
    if axes >= 2:
        return
    if axes == 0:
        raise InputError(
            f"{name} is a single {type(x).__name__}, no examples: Reshape your data into an array"
            " of shape (n, columns)."
        )
    column = f"{name}.to_frame()" if hasattr(x, "to_frame") else f"{name}.reshape(-1, 1)"
    row = f"{name}.to_frame().T" if hasattr(x, "to_frame") else f"{name}.reshape(1, -1)"
    raise InputError(
        f"{name} has the shape {tuple(x.shape)}, but examples have two axes or more. Reshape your"
        f" data with {column} if it is one column, or with {row} if it is one example."
    )


def _of_array(x: np.ndarray, name: str) -> Any:
    if isinstance(x, np.ma.MaskedArray):
        return _of_array(_unmasked(x), name)
    if isinstance(x, np.matrix):
        x = np.asarray(x)
    match x.dtype.kind:
        case "b" | "i" | "u" | "f":
            return x if _fits_torch(x) else np.array(x, order="C", subok=False)
        case "O" | "U" | "S":
            if x.ndim == 1 and len(x) and is_ragged(list(x)):
                return _of_list(list(x), name)
            return _numbers(x, name) if x.ndim > 1 else x
        case "c":
            raise _complex(x.dtype, name)
        case "M" | "m":
            raise InputError(
                f"{name} holds {'dates' if x.dtype.kind == 'M' else 'spans of time'} ({x.dtype}),"
                " whose unit and origin an array of numbers cannot say: give a pandas.DataFrame,"
                " whose columns of dates are understood, or numbers of your own."
            )
        case _ if x.dtype.names:
            raise _no_table("a structured array", name)
        case _:  # such as the bfloat16 of other packages
            return _of_array(np.asarray(x, dtype=np.float32), name)


def _of_tensor(x: Tensor, name: str) -> Any:
    x = x.detach()
    if x.is_complex():
        raise _complex(x.dtype, name)
    if x.layout != torch.strided:
        return _sparse(x)
    return _of_array(_values(x.dequantize() if x.is_quantized else x), name)


def _values(x: Tensor) -> np.ndarray:
    """The values of a tensor; types that numpy does not know, such as bfloat16, as float32."""
    x = x.resolve_neg().cpu()
    try:
        return x.numpy()
    except TypeError:
        return x.float().numpy()


def _of_list(x: Sequence[Any], name: str) -> Any:
    if any(isinstance(row, Tensor | np.ma.MaskedArray) for row in x):
        x = [incoming(row, name) for row in x]
    if not len(x):
        raise InputError(f"{name} holds 0 examples: give at least one.")
    if isinstance(x[0], Mapping):
        raise _no_table(f"a list of {type(x[0]).__name__}s", name)
    if isinstance(x[0], str | bytes | PathLike):
        raise InputError(
            f"{name} is a list of text, such as {reprlib.repr(x[0])}: give numbers, a"
            " pandas.DataFrame with the text as a column, or read files with isthmus.data.load."
        )
    if _is_text(x):  # a row of text is no sequence of sequences of letters
        return _of_array(np.array(x, dtype=object), name)
    if is_ragged(x):
        return x
    try:
        return _of_array(np.asarray(x), name)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{name} is a list of which no array can be made ({error}): give rows of one length."
        ) from error


def _is_text(rows: Sequence[Any]) -> bool:
    """Whether rows are of one length, and some begin with text."""
    listed = all(isinstance(row, list | tuple) for row in rows)
    return (
        listed
        and len({len(row) for row in rows}) == 1
        and any(isinstance(row[0], str | bytes) for row in rows if len(row))
    )


def _of_frame(x: Any) -> Any:
    """Frames of other packages as pandas frames; anything else as it is."""
    if hasattr(x, "iloc"):
        return x
    if hasattr(x, "collect") and hasattr(x, "collect_schema"):  # a lazy frame of polars
        x = x.collect()
    return x.to_pandas() if hasattr(x, "to_pandas") and hasattr(x, "columns") else x


def _unmasked(x: np.ma.MaskedArray) -> np.ndarray:
    """The values of a masked array, NaN where they are masked."""
    if not np.ma.is_masked(x):
        return np.asarray(x.data)
    if x.dtype.kind in "biu":
        wide = x.astype(np.float32 if x.dtype.itemsize < 3 else np.float64)
        return np.asarray(np.ma.filled(wide, np.nan))
    return np.asarray(np.ma.filled(x, np.nan if x.dtype.kind == "f" else None))


def _fits_torch(x: np.ndarray) -> bool:
    """Whether a tensor can lie over the memory: steps forwards, and over whole values."""
    return all(step >= 0 and step % x.itemsize == 0 for step in x.strides)


def _numbers(x: np.ndarray, name: str) -> np.ndarray:
    """Objects and text as numbers, in float64; None and the like as NaN."""
    try:
        return x.astype(np.float64)
    except (TypeError, ValueError):
        found = np.empty(x.shape)
        for place, value in np.ndenumerate(x):
            found[place] = _number(value, place, name)
        return found


def _number(value: Any, place: tuple[int, ...], name: str) -> float:
    if value is None or str(value) in ("<NA>", "NaT"):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        kind = InputTypeError if isinstance(error, TypeError) else InputError
        where = f"row {place[0]}, column {', '.join(map(str, place[1:]))}"
        raise kind(
            f"{name} holds {reprlib.repr(value)} (row and column from 0: {where}), but each value"
            " of this argument must be a number, or a string that reads as a number: give a"
            " pandas.DataFrame, whose columns of text and dates are understood."
        ) from error


def _sparse(x: Tensor) -> Any:
    """A sparse tensor as scipy's."""
    from scipy.sparse import coo_array

    x = x.to_sparse_coo().coalesce()
    return coo_array((_values(x.values()), _values(x.indices())), shape=tuple(x.shape)).tocsr()


def _complex(dtype: Any, name: str) -> InputError:
    return InputError(
        f"Complex data not supported: {name} has the type {dtype}; give real and imaginary parts as"
        f" values of their own, or abs({name})."
    )


def _no_table(what: str, name: str) -> InputError:
    return InputError(
        f"{name} is {what}, whose order of columns says nothing: give pandas.DataFrame({name})."
    )
