"""A sum of products in LANES interleaved parts: float64 sums of float32 terms at full vector width, in a fixed order.

Written in vectors of LANES numbers, which a processor cuts to its own width: bits do not depend on that.  (LLVM does
not reorder sums of floats by itself, and loops over an array of partial sums spend their time on loads and stores.)
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
SINGLES, DOUBLES = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.DoubleType(), LANES)


def _dot(context: Any, f: Any, f_start: Any, columns: Any, columns_start: Any, size: Any) -> Any:
    """Float64 sum of f[f_start + t] columns[columns_start + t], t < size, a multiple of LANES; arrays read flat."""

    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        arrays = [context.make_array(signature.args[k])(context, builder, given[k]).data for k in (0, 2)]
        first, second = (builder.gep(array, [given[k]]) for array, k in zip(arrays, (1, 3), strict=True))
        total: Any = cgutils.alloca_once_value(  # type: ignore[no-untyped-call]
            builder, ir.Constant(DOUBLES, [0.0] * LANES)
        )
        count = builder.udiv(given[4], ir.Constant(given[4].type, LANES))
        with cgutils.for_range(builder, count) as loop:
            at = builder.mul(loop.index, ir.Constant(loop.index.type, LANES))
            term = builder.load(builder.bitcast(builder.gep(first, [at]), SINGLES.as_pointer()), align=4)
            weight = builder.load(builder.bitcast(builder.gep(second, [at]), DOUBLES.as_pointer()), align=8)
            product = builder.fmul(builder.fpext(term, DOUBLES), weight)
            builder.store(builder.fadd(builder.load(total), product), total)
        return _halved(builder, builder.load(total))

    wanted = types.float64(f, types.intp, columns, types.intp, types.intp)
    return wanted, code


dot: Any = intrinsic(_dot)


def _halved(builder: Any, lanes: Any) -> Any:
    """The sum of a vector's numbers, its halves added until one is left."""
    width = LANES
    while width > 1:
        width //= 2
        low, high = (ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(k, k + width))) for k in (0, width))
        lanes = builder.fadd(builder.shuffle_vector(lanes, lanes, low), builder.shuffle_vector(lanes, lanes, high))
    return builder.extract_element(lanes, ir.Constant(ir.IntType(32), 0))
