"""Conjugate gradients, for a matrix that is known by its products; bits do not depend on the number of threads."""

from collections.abc import Callable

import numpy as np

from umapinfo.measures.bernoulli import Floats


def dot(x: Floats, y: Floats) -> float:
    """Sum of products, in bits that do not depend on the number of threads, as a library's may."""
    return float((x * y).sum())


def conjugate_gradients(
    product: Callable[[Floats], Floats],
    preconditioner: Callable[[Floats], Floats],
    b: Floats,
    solved: float,
    n_products: int,
) -> Floats:
    """About the solution x of M x = b, M positive definite.

    Parameters
    ----------
    product, preconditioner : x -> M x, and about its inverse
    b : float64[n, d]
    solved : float
        Residual over b, both as the preconditioner measures them, at which it is done.
    n_products : int
        Most products.
    """
    x, rest = np.zeros_like(b), b.copy()
    z = preconditioner(rest)
    way, size = z.copy(), dot(rest, z)
    enough = solved**2 * size
    for _ in range(n_products):
        if size <= enough:
            break
        turned = product(way)
        curvature = dot(way, turned)
        if not curvature > 0:
            break
        x += (size / curvature) * way
        rest -= (size / curvature) * turned
        z = preconditioner(rest)
        before, size = size, dot(rest, z)
        way = z + (size / before) * way
    return x
