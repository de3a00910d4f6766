r"""Spectra of symmetric operators on a layout: density, and what is a sum over it, by stochastic Lanczos quadrature.

For a symmetric matrix M of order N with eigenvalues lambda_k and a random vector z of +-1s, z^T f(M) z has the
expectation tr f(M) = sum_k f(lambda_k).  A number s of steps of Lanczos' iteration from z gives a tridiagonal matrix T;
its eigenvalues theta_l and the squares tau_l of its eigenvectors' first components are Gauss's quadrature rule of
z^T f(M) z / N, exact for polynomials up to degree 2 s - 1 (Golub and Meurant 2010; Ubaru, Chen and Saad 2017):

    tr f(M)  ~  N sum_l tau_l f(theta_l),            sum_l tau_l = 1.

The relative error of the mean over n_probes vectors is about sqrt(2 / (n_probes N_eff)), N_eff = (sum f)^2 / sum f^2
being the number of eigenvalues that count: 0.4 % at N_eff = 140,000 with one.  Lanczos vectors are orthogonalised twice
against all before them, so that no eigenvalue comes as a ghost.

Effective numbers of a positive semi-definite matrix, from its quadrature rule or from all eigenvalues:

    effective degrees of freedom    tr M (M + r)^-1          ridge r > 0: directions with more information than r
    participation ratio             (tr M)^2 / tr M^2        Hill number of order 2 of the eigenvalues
    effective rank                  exp(-sum_k s_k ln s_k),  s = lambda / tr M: of order 1 (Roy and Vetterli 2007)

Single eigenvalues at the ends: `umapinfo.measures.eigenpairs`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh_tridiagonal
from scipy.special import xlogy

from umapinfo.measures.bernoulli import Floats

Report = Callable[[str, int, int], None]

EXACT_UP_TO = 1000  # order of a matrix: all its eigenvalues take a second
NEGATIVE = 1e-5  # of the largest eigenvalue: what a sum within rtol may leave of 0
BROKEN = 1e-12  # of the largest coefficient: Lanczos' iteration has found an invariant subspace


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues with weights: all of a matrix, each 1 / N, or a quadrature rule (the module's docstring).

    Attributes
    ----------
    nodes : float64[k]
        Rising, in the matrix's units.
    weights : float64[k]
        Their share of the N eigenvalues; sum 1.
    order : int
        N.
    exact : bool
        Whether the nodes are the eigenvalues.
    """

    nodes: Floats
    weights: Floats
    order: int
    exact: bool

    def trace(self, values: ArrayLike) -> float:
        """N sum weights f(nodes) = tr f(M), of values f(nodes) float[k]."""
        return float(self.order * (self.weights * np.asarray(values)).sum())

    def count_below(self, value: float) -> float:
        """Number of eigenvalues under a value; a rule with few nodes near it tells it roughly."""
        return self.trace(self.nodes < value)

    def effective_dof(self, ridge: float) -> float:
        """Effective degrees of freedom tr M (M + ridge)^-1, ridge > 0 in the matrix's units."""
        if not ridge > 0:
            raise ValueError(f"ridge: expected a number > 0 in the matrix's units, got {ridge!r}")
        values = self._positive()
        return self.trace(values / (values + ridge))

    @property
    def participation_ratio(self) -> float:
        """(tr M)^2 / tr M^2; 0 for the matrix 0."""
        values = self._positive()
        squares = self.trace(values**2)
        return self.trace(values) ** 2 / squares if squares > 0 else 0.0

    @property
    def effective_rank(self) -> float:
        """Exponential of the Shannon entropy of lambda / tr M; 0 for the matrix 0."""
        values = self._positive()
        total = self.trace(values)
        return float(np.exp(np.log(total) - self.trace(xlogy(values, values)) / total)) if total > 0 else 0.0

    def _positive(self) -> Floats:
        """The nodes, those that rounding has put below 0 at 0."""
        if self.nodes[0] < -NEGATIVE * abs(self.nodes[-1]):
            raise ValueError(
                f"expected a positive semi-definite matrix, got eigenvalues down to {self.nodes[0]:.3g}; "
                "take the Fisher metric, or the squares of the Hessian's nodes by `trace`"
            )
        return np.maximum(self.nodes, 0.0)


class Alignment(NamedTuple):
    """How far a Hessian H is from a metric G: |H - G| / |G| and <G, H> / (|G| |H|), of Frobenius norms."""

    residual: float
    cosine: float


def spectral_density(
    operator: Any,
    *,
    n_steps: int = 80,
    n_probes: int = 1,
    exact: bool | None = None,
    seed: int = 0,
    report: Report | None = None,
) -> Spectrum:
    """The spectrum of a symmetric operator: all eigenvalues, or a quadrature rule by stochastic Lanczos iterations.

    Takes n_steps n_probes products, and memory for n_steps vectors.

    Parameters
    ----------
    operator : LinearOperator or float[N, N]
        Symmetric: `umapinfo.measures.fisher.fisher_metric` or `hessian`.
    n_steps : int
        Nodes of a probe.  Too few blur the density; extreme eigenvalues appear first.
    n_probes : int
    exact : bool, optional
        All eigenvalues; None: up to N = 1,000.
    seed : int
        Of the probes: the same seed gives the same bits.
    report : callable(stage, done, total), optional

    Returns
    -------
    Spectrum

    Raises
    ------
    ValueError
        If n_steps or n_probes is below 1.
    """
    if n_steps < 1 or n_probes < 1:
        raise ValueError(f"expected n_steps and n_probes >= 1, got {n_steps} and {n_probes}")
    order = operator.shape[0]
    if exact or (exact is None and order <= EXACT_UP_TO):
        return Spectrum(np.asarray(np.linalg.eigvalsh(dense(operator))), np.full(order, 1 / order), order, True)
    random, rules = np.random.default_rng(seed), []
    for probe in range(n_probes):

        def step(k: int, before: int = probe * n_steps) -> None:
            if report is not None:
                report("spectrum", before + k, n_probes * n_steps)

        nodes, vectors = eigh_tridiagonal(*lanczos(operator, random.choice([-1.0, 1.0], order), n_steps, step))
        rules.append((nodes, vectors[0] ** 2 / n_probes))
    nodes, weights = (np.concatenate(part) for part in zip(*rules, strict=True))
    rising = np.argsort(nodes, kind="stable")
    return Spectrum(nodes[rising], weights[rising], order, False)


def lanczos(
    operator: Any, start: Floats, n_steps: int, step: Callable[[int], None] | None = None
) -> tuple[Floats, Floats]:
    """Lanczos' iteration: the diagonal float64[m] of T and what stands beside it, float64[m - 1].

    m is n_steps, or less where the vectors span all that products of the start reach.  `step(k)` follows product k.
    """
    n_steps = min(n_steps, len(start))
    vectors, diagonal, beside = np.empty((n_steps, len(start))), np.empty(n_steps), np.empty(n_steps)
    vectors[0] = start / np.linalg.norm(start)
    for k in range(n_steps):
        following = operator @ vectors[k]
        diagonal[k] = vectors[k] @ following
        for _ in range(2):
            following -= vectors[: k + 1].T @ (vectors[: k + 1] @ following)
        beside[k] = np.linalg.norm(following)
        if step is not None:
            step(k + 1)
        if k + 1 == n_steps or beside[k] <= BROKEN * max(np.abs(diagonal[: k + 1]).max(), beside[: k + 1].max()):
            break
        vectors[k + 1] = following / beside[k]
    return diagonal[: k + 1], beside[:k]


def dense(operator: Any) -> Floats:
    """The matrix of an operator, float64[N, N], symmetric to the bit."""
    matrix = np.asarray(operator @ np.eye(operator.shape[0]))
    return (matrix + matrix.T) / 2


def alignment(hessian: Any, metric: Any, *, n_probes: int = 8, seed: int = 0) -> Alignment:
    """How far a Hessian is from a metric, as symmetric operators: exact up to N = 1,000, else from random vectors.

    tr A B is the expectation of (A z) . (B z).  Where a few close pairs have most of |H|^2, as with UMAP's repulsion,
    their random signs matter: look at several seeds.

    Parameters
    ----------
    hessian, metric : LinearOperator or float[N, N]
    n_probes : int
        Each takes a product of either.
    seed : int

    Returns
    -------
    Alignment
        (0, 1) where both are the same; a metric of 0 gives +inf, or 0 if the Hessian is 0 too, and a cosine of 0.

    Raises
    ------
    ValueError
        If the operators are not of one order.
    """
    order = metric.shape[0]
    if hessian.shape[0] != order:
        raise ValueError(
            f"expected operators of one order, got {hessian.shape[0]} and {order}; give those of one layout"
        )
    if order <= EXACT_UP_TO:
        H, G = dense(hessian), dense(metric)
    else:
        probes = np.random.default_rng(seed).choice([-1.0, 1.0], (order, n_probes))
        H, G = hessian @ probes, metric @ probes
    sizes, gap = (float(np.linalg.norm(H)), float(np.linalg.norm(G))), float(np.linalg.norm(H - G))
    if not sizes[1] > 0:
        return Alignment(np.inf if gap > 0 else 0.0, 0.0)
    return Alignment(gap / sizes[1], float((H * G).sum()) / (sizes[0] * sizes[1]) if sizes[0] > 0 else 0.0)
