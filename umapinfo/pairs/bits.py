"""A float64 as its binary form and back, inside kernels: exponents and table places without a logarithm."""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


def _bits_of(typing_context: Any, x: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), code


def _float_of(typing_context: Any, bits: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), code


# The binary form of a float64 as int64, and the float64 of a binary form.
bits_of: Callable[[float], int] = cast(Any, intrinsic(_bits_of))
float_of: Callable[[int], float] = cast(Any, intrinsic(_float_of))
