"""What measures of a graph of two vertices and a layout refuse alike, for tests."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from umapinfo.core.graph import graph_from_csr

PAIR = graph_from_csr(csr_matrix(np.array([[0, 1], [1, 0]], dtype=np.float32)))


def check_refusals(measure):
    """Of measure(Y, curve, rtol=...) with PAIR and UMAP's curve by default: TypeError or ValueError that say why."""
    Y = np.array([[0.0, 0.0], [1.0, 2.0]])
    with pytest.raises(ValueError, match="layout Y: expected shape"):
        measure(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="vertex 1"):
        measure([[0.0, 0.0], [np.nan, 0.0]])
    with pytest.raises(TypeError, match="object"):
        measure(Y.astype(object))
    with pytest.raises(ValueError, match="rtol"):
        measure(Y, rtol=2.0)
    with pytest.raises(TypeError, match="curve"):
        measure(Y, (1.0, 1.0))
