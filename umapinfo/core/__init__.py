"""The UMAP core: neighbours, memberships, graph, curve, starts, schedule, streams and the descent.

Knows numpy, scipy, numba and PyNNDescent only.  LAW numbers the law of the whole core: it is raised
whenever the bits of any result change, so that a stored trace says which law it was made under.
"""

LAW = 4
