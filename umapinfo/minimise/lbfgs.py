r"""Limited-memory BFGS: a direction from the last moves, and how the gradient turned along them.

With the moves s_k = Y_(k+1) - Y_k and the turns t_k = grad_(k+1) - grad_k of the last m iterations, the two loops of
Nocedal (1980) multiply the gradient by the matrix nearest to H_0 that takes each t_k to s_k.  H_0 divides the force on
a vertex by how stiff the loss is there if the other vertices stand still (`umapinfo.measures.objective`, `curvature`),
and is scaled to the last turn.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STRAIGHT = 1e-10  # cosine of a move and its turn up to which they are not kept: the matrix stays positive


def dot(x: Floats, y: Floats) -> float:
    """Sum of products, in bits that do not depend on the number of threads, as a library's may."""
    return float((x * y).sum())


class Memory:
    """The last moves and turns, as arrays that a checkpoint can hold.

    Attributes
    ----------
    moves, turns : float64[m, n, d]
    n_seen : int64[]
        Pairs kept since the memory was cleared; pair k stands in place k mod m.
    """

    def __init__(self, moves: Floats, turns: Floats, n_seen: NDArray[np.int64]) -> None:
        self.moves, self.turns, self.n_seen = moves, turns, n_seen

    def clear(self) -> None:
        """Forget all."""
        self.n_seen[...] = 0

    def keep(self, move: Floats, turn: Floats) -> None:
        """Keep a move and its turn, in place of the oldest; not where the gradient did not turn against the move."""
        if dot(move, turn) > STRAIGHT * np.sqrt(dot(move, move) * dot(turn, turn)):
            place = int(self.n_seen) % len(self.moves)
            self.moves[place], self.turns[place] = move, turn
            self.n_seen[...] += 1

    def direction(self, gradient: Floats, curvature: Floats) -> Floats:
        """Minus the matrix times the gradient float64[n, d]; curvature float64[n, 1] of each vertex."""
        seen, m = int(self.n_seen), len(self.moves)
        places = [k % m for k in range(max(seen - m, 0), seen)]
        weights, rest = {}, gradient.copy()
        for place in reversed(places):
            weights[place] = dot(self.moves[place], rest) / dot(self.moves[place], self.turns[place])
            rest -= weights[place] * self.turns[place]
        scale = 1.0
        if places:
            move, turn = self.moves[places[-1]], self.turns[places[-1]]
            scale = dot(move, turn) / dot(turn, turn / curvature)
        rest *= scale / curvature
        for place in places:
            back = dot(self.turns[place], rest) / dot(self.moves[place], self.turns[place])
            rest += (weights[place] - back) * self.moves[place]
        return -rest
