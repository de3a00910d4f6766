"""The random numbers of the descent: which vertex a negative sample draws.

Two kinds of streams:

- "counter" (the default): vertex = draw(seed, epoch, entry, i), a pure function.  It does not depend on the layout, on
  threads or on the order of updates, and can be recomputed instead of stored.  It is SplitMix64 (Steele, Lea and
  Flood, OOPSLA 2014; mixing constants of Stafford's variant 13) evaluated at a counter: the key mixes seed and epoch,
  the counter is entry * 2^20 + i // 2 + 1, the low half of the word serves an even i and the high half an odd one.  A
  half h becomes the vertex h n / 2^32, rounded down: no vertex is favoured by more than n / 2^32.
- "umap": umap-learn's, one Tausworthe state a vertex, seeded from three random integers plus the bits of the vertex's
  first coordinate (0.5.12, layouts.py and utils.py).  For equality with umap-learn.  The first words of all
  vertices share their lowest four bits, so that first draws reach n / gcd(n, 16) vertices.
"""

import numpy as np
from numpy.typing import NDArray

from umapinfo.jit import jit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
DRAW_BITS = np.uint64(20)
HALF_BITS = np.uint64(32)
LOW_HALF = np.uint64(0xFFFFFFFF)
INT32_MAX = np.iinfo(np.int32).max


@jit
def mix(z: np.uint64) -> np.uint64:
    """The finaliser of SplitMix64: a bijection of uint64 in which every input bit moves half of the output bits."""
    z = (z ^ (z >> np.uint64(30))) * MIX_1
    z = (z ^ (z >> np.uint64(27))) * MIX_2
    return z ^ (z >> np.uint64(31))


@jit
def epoch_key(seed: np.uint64, epoch: int) -> np.uint64:
    """The key of an epoch's draws (uint64)."""
    return mix(mix(np.uint64(seed) + GOLDEN) + np.uint64(epoch) * GOLDEN)


@jit
def counter_draw(key: np.uint64, entry: int, i: int, n: int) -> int:
    """The vertex in [0, n) that the i-th negative sample of an entry draws in the epoch with that key."""
    pair = vertices_of(word_of(key, entry, i >> 1), n)
    return int(pair >> HALF_BITS if i & 1 else pair & LOW_HALF)


@jit
def word_of(key: np.uint64, entry: int, i: int) -> np.uint64:
    """The i-th random word of an entry."""
    return mix(first_counter(key, entry) + np.uint64(i) * GOLDEN)


@jit
def first_counter(key: np.uint64, entry: int) -> np.uint64:
    """What is mixed to the first word of an entry; the next ones follow in steps of GOLDEN."""
    return key + ((np.uint64(entry) << DRAW_BITS) + np.uint64(1)) * GOLDEN


@jit
def vertices_of(word: np.uint64, n: int) -> np.uint64:
    """The vertices in [0, n) of the halves of a random word, as halves of a word."""
    n_low = np.uint64(n) & LOW_HALF  # n itself, of which LLVM then knows that it fits a half: products are cheaper
    low, high = (word & LOW_HALF) * n_low, (word >> HALF_BITS) * n_low
    return (low >> HALF_BITS) | (high & ~LOW_HALF)


@jit
def tausworthe_draw(state: NDArray[np.int64], n: int) -> int:
    """The vertex in [0, n) drawn from umap-learn's three-component Tausworthe state (int64[3]), which moves on."""
    low = np.int64(0xFFFFFFFF)
    s0, s1, s2 = state[0], state[1], state[2]
    s0 = (((s0 & 4294967294) << 12) & low) ^ ((((s0 << 13) & low) ^ s0) >> 19)
    s1 = (((s1 & 4294967288) << 4) & low) ^ ((((s1 << 2) & low) ^ s1) >> 25)
    s2 = (((s2 & 4294967280) << 17) & low) ^ ((((s2 << 3) & low) ^ s2) >> 11)
    state[0], state[1], state[2] = s0, s1, s2
    return int(np.int32(s0 ^ s1 ^ s2)) % n


def tausworthe_states(Y0: NDArray[np.float32], integers: NDArray[np.int64]) -> NDArray[np.int64]:
    """umap-learn's states int64[n, 3]: three integers plus the bits of each vertex's first coordinate as float64."""
    bits = Y0[:, 0].astype(np.float64).view(np.int64)
    return integers[None, :].astype(np.int64) + bits[:, None]


def initial_streams(kind: str, seed: int, Y0: NDArray[np.float32]) -> NDArray[np.int64]:
    """What a State keeps of its streams: the Tausworthe states for "umap", nothing (int64[0, 3]) for "counter"."""
    if kind == "counter":
        return np.zeros((0, 3), np.int64)
    # The bounds of umap-learn (0.5.12, umap_.py), so that one seed gives the same streams there and here.
    integers = np.random.RandomState(seed).randint(-INT32_MAX, INT32_MAX - 1, 3).astype(np.int64)
    return tausworthe_states(Y0, integers)
