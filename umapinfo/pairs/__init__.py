"""Sums over all pairs of points of a layout: `pair_sums` for every point, `sampled_sum` for a total with an interval.

Knows Curve and arrays, never Graph.
"""

from umapinfo.pairs.edges import edge_d2, edge_potentials, edge_theta
from umapinfo.pairs.far import Plan
from umapinfo.pairs.potentials import POTENTIALS
from umapinfo.pairs.sampled import SampledSum, sampled_sum
from umapinfo.pairs.sums import PairSums, pair_sums

__all__ = [
    "POTENTIALS",
    "PairSums",
    "Plan",
    "SampledSum",
    "edge_d2",
    "edge_potentials",
    "edge_theta",
    "pair_sums",
    "sampled_sum",
]
