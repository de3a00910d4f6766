"""Sums over all pairs of points of a layout: for every point, a total with an interval, or totals of any function.

`pair_sums`, `sampled_sum`, `distance_classes`.  Knows Curve and arrays, never Graph.
"""

from umapinfo.pairs.classes import DistanceClasses, distance_classes
from umapinfo.pairs.edges import edge_costs, edge_d2, edge_potentials, edge_theta, laplacian_product
from umapinfo.pairs.far import Plan
from umapinfo.pairs.potentials import POTENTIALS
from umapinfo.pairs.sampled import SampledSum, sampled_sum
from umapinfo.pairs.sums import PairSums, pair_sums

__all__ = [
    "POTENTIALS",
    "DistanceClasses",
    "PairSums",
    "Plan",
    "SampledSum",
    "distance_classes",
    "edge_costs",
    "edge_d2",
    "edge_potentials",
    "edge_theta",
    "laplacian_product",
    "pair_sums",
    "sampled_sum",
]
