"""Bytes of a data file to arrays: idx, numbers between commas, and points in JSON; nothing in them is executed.

The shape is known beforehand, so a file that says or holds anything else is refused.
"""

import gzip
import io
import json
import zlib

import numpy as np
from numpy.typing import NDArray


def parse_idx(data: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Array of unsigned bytes in a gzipped idx file, the format of MNIST.

    Header: two zero bytes, 8 for unsigned bytes, the number of dimensions d, then d sizes of four bytes each,
    the most significant first. The values follow, the last index running fastest.

    Parameters
    ----------
    data : bytes
        The whole file, compressed.
    shape : tuple of int
        Sizes that the file must have.

    Returns
    -------
    ndarray, uint8[shape]

    Raises
    ------
    ValueError
        If it does not unpack, or its magic number, sizes or length are others.

    References
    ----------
    Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits", section on file formats.
    """
    header = np.array([0x0800 + len(shape), *shape], ">u4").tobytes()
    length = len(header) + int(np.prod(shape))
    try:
        with gzip.open(io.BytesIO(data)) as file:
            content = file.read(length + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"expected a gzipped idx file, got one that does not unpack ({error}); fetch it anew"
        ) from error
    if content[:4] != header[:4]:
        raise ValueError(f"expected magic number {header[:4].hex()}, got {content[:4].hex()}; fetch the file anew")
    if content[: len(header)] != header:
        sizes = tuple(np.frombuffer(content[4 : len(header)].ljust(4 * len(shape), b"\0"), ">u4").tolist())
        raise ValueError(f"expected sizes {shape} in the idx file, got {sizes}; fetch the file anew")
    if len(content) != length:
        got = "more" if len(content) > length else len(content)
        raise ValueError(f"expected {length} bytes of idx, got {got}; fetch the file anew")
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def parse_integers(data: bytes, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Table of integers between commas, one row a line.

    Parameters
    ----------
    data : bytes
        The whole file, in ASCII.
    shape : tuple of int
        Rows and columns that it must have.

    Returns
    -------
    ndarray, int64[shape]

    Raises
    ------
    ValueError
        If it is no such table, or one of another shape.
    """
    lines = data.decode("ascii").splitlines()
    if len(lines) != shape[0]:
        raise ValueError(f"expected {shape[0]} lines of numbers, got {len(lines)}; fetch the file anew")
    table = np.loadtxt(lines, dtype=np.int64, delimiter=",", comments=None, ndmin=2)
    if table.shape != shape:
        raise ValueError(f"expected numbers of shape {shape}, got {table.shape}; fetch the file anew")
    return table


def parse_points(data: bytes, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Points in JSON: a list of lists of finite numbers.

    Parameters
    ----------
    data : bytes
        The whole file.
    shape : tuple of int
        Points and coordinates that it must have.

    Returns
    -------
    ndarray, float64[shape]

    Raises
    ------
    ValueError
        If it is no such list, or one of another shape.
    """
    n, n_features = shape
    try:
        points = json.loads(data, parse_int=float)
    except RecursionError as error:
        raise ValueError("expected a list of points, got lists too deep to read; fetch the file anew") from error
    if not isinstance(points, list) or len(points) != n:
        raise ValueError(f"expected a list of {n} points, got something else; fetch the file anew")
    if not all(isinstance(x, list) and len(x) == n_features and all(type(v) is float for v in x) for x in points):
        raise ValueError(f"expected {n_features} numbers for each point, got something else; fetch the file anew")
    X = np.array(points, dtype=np.float64)
    if not np.isfinite(X).all():
        raise ValueError("expected finite coordinates, got infinity or no number; fetch the file anew")
    return X
