"""Sums over all pairs of points of a layout: one interface, `pair_sums`; potentials and bodies behind it.

Knows Curve and arrays, never Graph.
"""

from umapinfo.pairs.edges import edge_d2, edge_potentials, edge_theta
from umapinfo.pairs.potentials import POTENTIALS
from umapinfo.pairs.sums import PairSums, pair_sums

__all__ = ["POTENTIALS", "PairSums", "edge_d2", "edge_potentials", "edge_theta", "pair_sums"]
