r"""Which divergences there are, with their numbers, what each charges off the edges of a graph, and of any pair.

Off the edges p = 0, or p_min: D(p || q) is there a constant and one or some potentials of the distance
(`umapinfo.pairs.potentials`), which sums over all pairs and their gradients take.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from umapinfo.measures.bernoulli import Floats
from umapinfo.measures.pair_divergences import KINDS, PairTerms, pair_values
from umapinfo.pairs.potentials import LARGEST_ORDER, LEAST_ORDER

NAMES = ("kl", "hellinger", *KINDS)
FIXED_ORDERS = {"kl": 1.0, "hellinger": 0.5}  # of alpha
WITH_ORDER, CLIPPED = ("alpha", "renyi"), ("reverse_kl", "jeffreys")


@dataclass(frozen=True)
class Divergence:
    """One of the family, for what a name alone does not say.

    Attributes
    ----------
    name : str
        "kl", "hellinger", "alpha", "renyi", "reverse_kl", "jeffreys", "jensen_shannon" or "fisher_rao".
    order : float in [0.01, 4]
        x of alpha and renyi, where it has to be given; 1 is kl.
    p_min : float in [1e-300, 0.49]
        Of reverse_kl and jeffreys, where it has to be given: p is clipped to [p_min, 1 - p_min].  Too small: its
        logarithm outweighs everything; too large: edges are no longer told from other pairs.
    """

    name: str
    order: float | None = None
    p_min: float | None = None

    def __post_init__(self) -> None:
        """Refuse unknown names, and numbers that are missing, out of range or of no use."""
        if self.name not in NAMES:
            raise ValueError(f"divergence: expected one of {', '.join(NAMES)}, got {self.name!r}")
        self._check("order", self.name in WITH_ORDER, LEAST_ORDER, LARGEST_ORDER)
        self._check("p_min", self.name in CLIPPED, 1e-300, 0.49)

    def _check(self, what: str, due: bool, low: float, high: float) -> None:
        """Check a number that is due for some names, and put a plain float in its place."""
        value = getattr(self, what)
        if not due and value is not None:
            raise ValueError(f"{what}: expected none for {self.name}, got {value!r}; leave it away")
        if due and not (isinstance(value, int | float | np.integer | np.floating) and low <= value <= high):
            raise ValueError(
                f"{what}: expected a number in [{low:g}, {high:g}] for {self.name}, got {value!r}; "
                f'give Divergence("{self.name}", {what}=...)'
            )
        if due:
            object.__setattr__(self, what, float(value))


class Far(NamedTuple):
    """D(p || q) off the edges: constant + sum_k factors[k] f_k, and potentials with the slopes f_k'(d)/d."""

    potentials: list[str]
    slopes: list[str]
    factors: Floats
    constant: float
    infinite: bool  # at distance 0, if q is 1 there


def pair_divergence(p: ArrayLike, theta: ArrayLike, which: str | Divergence) -> PairTerms:
    """D(p || q) of single pairs and dD/dtheta: of any matrix of probabilities p and logits theta of q.

    Parameters
    ----------
    p : float[...], in [0, 1]
    theta : float[...], nats
        -inf and +inf are q = 0 and q = 1.  Broadcast with p.
    which : str or Divergence

    Returns
    -------
    PairTerms
        value (nats) and slope, float64[...] each; +inf where infinite.

    Raises
    ------
    ValueError
        p outside [0, 1], theta NaN, or no such divergence.
    """
    member = checked_divergence(which)
    p, theta = np.broadcast_arrays(np.asarray(p, dtype=np.float64), np.asarray(theta, dtype=np.float64))
    if not ((p >= 0) & (p <= 1)).all() or np.isnan(theta).any():
        raise ValueError("pair_divergence: expected p in [0, 1] and logits that are no NaN; give q's logit, not q")
    found = edge_terms(member, p.ravel(), 1 - p.ravel(), theta.ravel())
    return PairTerms(*(term.reshape(p.shape) for term in found))


def checked_divergence(which: str | Divergence) -> Divergence:
    """The divergence itself, or that of a name; ValueError, TypeError."""
    if isinstance(which, str):
        return Divergence(which)
    if not isinstance(which, Divergence):
        raise TypeError(f"divergence: expected a name or a Divergence, got {type(which).__name__}")
    return which


def far_part(member: Divergence) -> Far:
    """What a divergence charges off the edges."""
    name, order = member.name, FIXED_ORDERS.get(member.name, member.order)
    if name in CLIPPED:
        return _clipped_far(member)
    if order == 1.0 or name == "renyi":
        return Far(["repulsion"], ["repulsion_slope"], np.array([1 / (order or 1.0)]), 0.0, True)
    if order is not None:
        return Far([f"alpha({order!r})"], [f"alpha_slope({order!r})"], np.ones(1), 0.0, order > 1)
    return Far([name], [f"{name}_slope"], np.ones(1), 0.0, False)


def _clipped_far(member: Divergence) -> Far:
    """KL(q || p) = -h(q) - lambda q - ln(1 - p) at p = p_min, and its mean with KL(p || q) = cross entropy - h(p)."""
    p = member.p_min or 0.0
    log_p, log_rest = math.log(p), math.log1p(-p)
    names, factors, constant = ["entropy", "similarity"], np.array([-1.0, log_rest - log_p]), -log_rest
    if member.name == "jeffreys":
        names, factors = [*names, "attraction", "repulsion"], np.append(factors, [p, 1 - p]) / 2
        constant = (constant + p * log_p + (1 - p) * log_rest) / 2
    return Far(names, [f"{name}_slope" for name in names], factors, constant, member.name == "jeffreys")


def edge_terms(member: Divergence, p: Floats, rest: Floats, theta: Floats) -> PairTerms:
    """Values and slopes of listed pairs."""
    if member.p_min is not None:
        p, rest = (np.clip(one, member.p_min, 1 - member.p_min) for one in (p, rest))
    kind = "alpha" if member.name in FIXED_ORDERS else member.name
    order = FIXED_ORDERS.get(member.name, member.order)
    return pair_values(KINDS.index(kind), 1.0 if order is None else order, p, rest, theta)
