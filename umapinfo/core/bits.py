"""Operations that Python has no word for, as one instruction each in a kernel: on the bits of numbers, and a few more.

All but `take_next` vectorise.  `fma` and `fma64` are rounded once on any machine (in software, slowly, where the
processor has none), so that bits do not depend on the processor.  Beside float32, integers are int32: numba's own
arithmetic would widen them to int64, which halves the width of a vector.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

FLOAT, INT = ir.FloatType(), ir.IntType(32)
item_pointer: Any = cgutils.get_item_pointer  # which has no types
EXPONENT = -(1 << 23)  # the bits of sign and exponent
SQRT_HALF = 0x3F3504F3  # the bits of sqrt(1/2)
NO_BITS = np.int32(0x7F000000)  # the bits of 2^127


def _instruction(typed: Callable[..., Any]) -> Any:
    """Numba's intrinsic, without the types that it takes from a signature in which it fills the first argument."""
    return intrinsic(typed)


@_instruction
def fma(context: Any, x: Any, y: Any, z: Any) -> Any:
    """Float32 x y + z, rounded once."""
    signature = types.float32(types.float32, types.float32, types.float32)
    return signature, lambda context, builder, signature, given: builder.fma(*given)


@_instruction
def fma64(context: Any, x: Any, y: Any, z: Any) -> Any:
    """Float64 x y + z, rounded once."""
    signature = types.float64(types.float64, types.float64, types.float64)
    return signature, lambda context, builder, signature, given: builder.fma(*given)


@_instruction
def octave(context: Any, s: Any) -> Any:
    """Int32 2^23 e with s = m 2^e and m in [sqrt(1/2), sqrt(2)), of a positive normal float32 s."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        above = builder.sub(builder.bitcast(given[0], INT), ir.Constant(INT, SQRT_HALF))
        return builder.and_(above, ir.Constant(INT, EXPONENT))

    return types.int32(types.float32), code


@_instruction
def within_octave(context: Any, s: Any, octave: Any) -> Any:
    """Float32 m = s 2^-e of s and its `octave` 2^23 e, exact."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.bitcast(builder.sub(builder.bitcast(given[0], INT), given[1]), FLOAT)

    return types.float32(types.float32, types.int32), code


@_instruction
def as_float(context: Any, i: Any) -> Any:
    """Float32 value of an int32 number."""
    signature = types.float32(types.int32)
    return signature, lambda context, builder, signature, given: builder.sitofp(given[0], FLOAT)


@_instruction
def times_power(context: Any, x: Any, shifted: Any) -> Any:
    """Float32 x 2^k, exact, for `shifted` = k + 1.5 * 2^23 and x and the result normal numbers."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        power = builder.shl(builder.bitcast(given[1], INT), ir.Constant(INT, 23))
        return builder.bitcast(builder.add(builder.bitcast(given[0], INT), power), FLOAT)

    return types.float32(types.float32, types.float32), code


@_instruction
def least_bits(context: Any, low: Any, s: Any) -> Any:
    """The smaller of int32 low and the bits of float32 s >= 0: the order of such numbers is that of their bits."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        bits = builder.bitcast(given[1], INT)
        return builder.select(builder.icmp_signed("<", bits, given[0]), bits, given[0])

    return types.int32(types.int32, types.float32), code


@_instruction
def most_bits(context: Any, high: Any, s: Any) -> Any:
    """The larger of int32 high and the bits of float32 s >= 0."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        bits = builder.bitcast(given[1], INT)
        return builder.select(builder.icmp_signed(">", bits, given[0]), bits, given[0])

    return types.int32(types.int32, types.float32), code


@_instruction
def bits_of(context: Any, x: Any) -> Any:
    """Int64 with the bits of a float64: exponents and table places without a logarithm."""
    signature = types.int64(types.float64)
    return signature, lambda context, builder, signature, given: builder.bitcast(given[0], ir.IntType(64))


@_instruction
def float_of(context: Any, bits: Any) -> Any:
    """Float64 with the bits of an int64."""
    signature = types.float64(types.int64)
    return signature, lambda context, builder, signature, given: builder.bitcast(given[0], ir.DoubleType())


@_instruction
def zero_where(context: Any, flag: Any, x: Any) -> Any:
    """Float32 x, or 0 where the flag is set, without a branch, which may keep a loop from being vectors."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.select(given[0], ir.Constant(FLOAT, 0.0), given[1])

    return types.float32(types.boolean, types.float32), code


@_instruction
def take_next(context: Any, taken: Any, k: Any) -> Any:
    """The number in taken[k], an array of int64, which is then one larger for whoever asks next, in any thread."""
    if taken.dtype != types.int64:
        raise TypeError(f"taken: expected an array of int64, got one of {taken.dtype}")

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        array = context.make_array(taken)(context, builder, given[0])
        place = item_pointer(context, builder, taken, array, [given[1]], wraparound=False)
        return builder.atomic_rmw("add", place, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(taken, types.uintp), code
