"""The whole algorithm and every measure once more: plain float64, loops and dense matrices, for tests only.

It shares no code with the package and imports nothing of it. Each function is one formula, written the way
the paper or umap-learn 0.5.12 states it, not the way that is fast. A curve is a tuple (a, b, c):

    q(d) = 1 / (1 + c + a d^(2b)),    theta = ln(q / (1 - q)) = -ln(c + a d^(2b)),    c = 0 in UMAP.

Matrices are dense n x n. P is directed (row i holds p_{j|i}), p the symmetric graph, mu the pruned one. Sums
run over unordered pairs without the diagonal, in nats, unless a name starts with dh_ (the convention of
Damrich and Hamprecht). An update is a tuple (head, tail, entry, draw); draw is -1 for an attraction, else the
number of the negative sample. Epochs are numbered from 1: epoch `number` is umap-learn's n = number - 1.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal, getcontext, localcontext

import numpy as np
from scipy.optimize import least_squares
from scipy.sparse import csr_array

Update = tuple[int, int, int, int]
Draw = Callable[[int, int, int, int], int]

# ---- data ----------------------------------------------------------------------------------------


def ring(seed, n=1000):
    """Toy ring of Damrich and Hamprecht: discs of radius 1/2 around n centres on a circle of radius 4."""
    random = np.random.RandomState(seed)  # as it was published
    radius = np.sqrt(random.uniform(0, 1, n)) * 0.5
    angle = np.pi * random.uniform(0, 2, n)
    around = 2 * np.pi * np.arange(n) / n
    x = 4 * np.sin(around) + radius * np.sin(angle)
    y = 4 * np.cos(around) + radius * np.cos(angle)
    return np.column_stack([x, y])


def rescaled(Y):
    """Start as umap-learn gives it to the descent: each axis to [0, 10], float32."""
    low, high = np.min(Y, axis=0), np.max(Y, axis=0)
    return (10.0 * (Y - low) / (high - low)).astype(np.float32)


# ---- from points to the graph --------------------------------------------------------------------


def knn(X, k):
    """k - 1 nearest neighbours of each row by Euclidean distance, itself left out, ties by index."""
    X = np.asarray(X, dtype=np.float64)
    n = len(X)
    indices = np.empty((n, k - 1), dtype=np.int64)
    distances = np.empty((n, k - 1))
    for i in range(n):
        d = np.sqrt(((X - X[i]) ** 2).sum(axis=1))
        d[i] = np.inf
        order = np.argsort(d, kind="stable")[: k - 1]
        indices[i], distances[i] = order, d[order]
    return indices, distances


def ranks(X):
    """r_ij: rank of j among the others by distance from i, 1 the nearest, ties by index; 0 on the diagonal."""
    n = len(X)
    r = np.zeros((n, n), dtype=np.int64)
    for i, listed in enumerate(knn(X, n)[0]):
        for place, j in enumerate(listed):
            r[i, j] = place + 1
    return r


def layout_quality(X, Y, k):
    """Trustworthiness and recall of k neighbours, [least, most]: of points equally far in Y any may be listed."""
    n, r = len(X), ranks(X)
    excess, kept = np.zeros(2), np.zeros(2)
    for i in range(n):
        d2 = [((Y[j].astype(float) - Y[i]) ** 2).sum() if j != i else np.inf for j in range(n)]
        last = sorted(d2)[k - 1]
        inside, tied = [j for j in range(n) if d2[j] < last], [j for j in range(n) if d2[j] == last]
        tied.sort(key=lambda j: r[i, j])
        for end, chosen in enumerate((tied[len(tied) - (k - len(inside)) :], tied[: k - len(inside)])):
            listed = [r[i, j] for j in inside + chosen]
            excess[end] += sum(rank - k for rank in listed if rank > k)
            kept[end] += sum(rank <= k for rank in listed)
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * excess, kept / (n * k)


def row_rho(d, local_connectivity=1.0):
    """Distance to the nearest neighbour not at 0, interpolated where local_connectivity is not 1."""
    positive = [x for x in d if x > 0]
    whole = int(local_connectivity)
    part = local_connectivity - whole
    if len(positive) < local_connectivity:
        return max(positive, default=0.0)
    if whole == 0:
        return part * positive[0] if part > 0 else 0.0
    rho = positive[whole - 1]
    if part > 1e-5:
        rho += part * (positive[whole] - positive[whole - 1])
    return float(rho)


def row_sum(d, rho, sigma):
    """Sum over the list of exp(-max(0, d - rho)/sigma)."""
    return sum(1.0 if x <= rho else np.exp(-(x - rho) / sigma) for x in d)


def row_sigma(d, rho, k, mean_all):
    """Width with row_sum = log2 k, and whether umap-learn's floor decided it.

    64 bisections from 1 (doubling until bracketed) to |sum - log2 k| < 1e-5; then at least 1e-3 of the row's
    mean, or of the mean of all rows if rho is 0. Means count the point's own distance 0. Stated deviation
    from umap-learn: a row whose mean lies outside [2^-20, 2^20] is searched after division by a power of two.
    """
    mean = sum(d) / k
    scale = 2.0 ** np.floor(np.log2(mean)) if mean > 0 and not 2.0**-20 <= mean <= 2.0**20 else 1.0
    scaled = [x / scale for x in d]
    low, high, sigma = 0.0, np.inf, 1.0
    for _ in range(64):
        total = row_sum(scaled, rho / scale, sigma)
        if abs(total - np.log2(k)) < 1e-5:
            break
        if total > np.log2(k):
            high = sigma
        else:
            low = sigma
        sigma = 2 * sigma if high == np.inf else (low + high) / 2
    sigma *= scale
    floor = 1e-3 * (mean if rho > 0 else mean_all)
    return max(sigma, floor), bool(sigma < floor)


def smooth(distances, k, local_connectivity=1.0):
    """rho, sigma, floored and tied (neighbours at or under rho number at least log2 k) of every row."""
    distances = np.asarray(distances, dtype=np.float64)
    mean_all = distances.sum() / (k * len(distances))
    rho = np.array([row_rho(d, local_connectivity) for d in distances])
    pairs = [row_sigma(d, r, k, mean_all) for d, r in zip(distances, rho, strict=True)]
    tied = np.array([np.sum(d <= r) >= np.log2(k) for d, r in zip(distances, rho, strict=True)])
    return rho, np.array([s for s, _ in pairs]), np.array([f for _, f in pairs]), tied


def directed(indices, distances, rho, sigma, n=None):
    """P[i, j] = p_{j|i} = exp(-max(0, d_ij - rho_i)/sigma_i) on the list of i, 0 elsewhere."""
    P = np.zeros((len(indices), n or len(indices)))
    for i, row in enumerate(indices):
        for j, d in zip(row, distances[i], strict=True):
            P[i, j] = 1.0 if d <= rho[i] else np.exp(-(float(d) - rho[i]) / sigma[i])
    return P


def union(P, set_op_mix_ratio=1.0):
    """Fuzzy union P + P' - P P' (elementwise), mixed with the fuzzy intersection P P'."""
    both = P * P.T
    return set_op_mix_ratio * (P + P.T - both) + (1 - set_op_mix_ratio) * both


def graph(X, k):
    """Directed memberships P and their fuzzy union p."""
    indices, distances = knn(X, k)
    rho, sigma, _, _ = smooth(distances, k)
    P = directed(indices, distances, rho, sigma)
    return P, union(P)


def epochs_for(n, n_epochs=None):
    """umap-learn's default number of epochs."""
    if n_epochs is not None:
        return n_epochs
    return 500 if n <= 10_000 else 200


def prune(p, n_epochs):
    """Weights under max/n_epochs dropped (n_epochs <= 10: under max/default); the threshold is a float32."""
    if n_epochs <= 10:
        n_epochs = epochs_for(len(p))
    threshold = np.float32(np.max(p, initial=0.0)) / np.float32(n_epochs)
    return np.where(p < float(threshold), 0.0, p)


def degree(p):
    """d_i = sum_j p_ij."""
    return p.sum(axis=1)


def fit_curve(min_dist=0.1, spread=1.0):
    """Least squares of 1/(1 + a x^(2b)) on min(1, exp(-(x - min_dist)/spread)), x in [0, 3 spread]."""
    x = np.linspace(0, 3 * spread, 300)
    wanted = np.where(x < min_dist, 1.0, np.exp(-(x - min_dist) / spread))
    tight = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}
    fit = least_squares(lambda ab: 1 / (1 + ab[0] * x ** (2 * ab[1])) - wanted, [1.0, 1.0], **tight)
    return float(fit.x[0]), float(fit.x[1]), 0.0


# ---- schedule and streams ------------------------------------------------------------------------


def entries(mu):
    """Heads, tails and weights of the entries in umap-learn's order: by row, then by column."""
    sparse = csr_array(mu)
    sparse.sum_duplicates()
    sparse.eliminate_zeros()
    heads = np.repeat(np.arange(sparse.shape[0]), np.diff(sparse.indptr))
    return heads, np.asarray(sparse.indices, dtype=np.int64), np.asarray(sparse.data)


def epochs_per_sample(weights, n_epochs):
    """T / (T w/max w), as umap-learn rounds it: T w/max w in float32, its inverse in float64.

    Which epoch an entry is due in depends on this rounding.
    """
    w = np.asarray(weights, dtype=np.float32)
    n_samples = np.float32(n_epochs) * (w / w.max(initial=np.float32(0)))
    return float(n_epochs) / n_samples.astype(np.float64)


def due(weights, n_epochs, negative_sample_rate=5.0) -> Iterator[list[tuple[int, int]]]:
    """For each epoch the entries that are due, in order, and the number of negatives each draws."""
    period = epochs_per_sample(weights, n_epochs)
    next_sample = period.copy()
    with np.errstate(divide="ignore"):
        negative_period = period / np.float64(negative_sample_rate)
    next_negative = negative_period.copy()
    for n in range(n_epochs):
        listed = []
        for entry in np.flatnonzero(next_sample <= n):
            next_sample[entry] += period[entry]
            n_negatives = 0
            if negative_sample_rate > 0:
                n_negatives = int((n - next_negative[entry]) / negative_period[entry])
                next_negative[entry] += n_negatives * negative_period[entry]
            listed.append((int(entry), n_negatives))
        yield listed


def updates(mu, n_epochs, draw: Draw, negative_sample_rate=5.0) -> Iterator[list[Update]]:
    """For each epoch the updates: an attraction, then its negatives draw(number, entry, i, head)."""
    heads, tails, weights = entries(mu)
    for number, listed in enumerate(due(weights, n_epochs, negative_sample_rate), start=1):
        epoch = []
        for entry, n_negatives in listed:
            head = int(heads[entry])
            epoch.append((head, int(tails[entry]), entry, -1))
            epoch += [(head, draw(number, entry, i, head), entry, i) for i in range(n_negatives)]
        yield epoch


def int64(x):
    """Python int wrapped to a signed 64-bit integer."""
    return (x + 2**63) % 2**64 - 2**63


def int32(x):
    """Python int wrapped to a signed 32-bit integer."""
    return (x + 2**31) % 2**32 - 2**31


def tausworthe_states(Y0, rng_state):
    """umap-learn's stream of each vertex: the run's three numbers plus the bits of its first coordinate."""
    bits = np.asarray(Y0)[:, 0].astype(np.float64).view(np.int64)
    return [[int64(int(s) + int(x)) for s in rng_state] for x in bits]


def tausworthe(state):
    """Next int32 of tau_rand_int, whose three signed 64-bit integers are changed."""
    for which, (mask, left, inner, right) in enumerate(
        [(0xFFFFFFFE, 12, 13, 19), (0xFFFFFFF8, 4, 2, 25), (0xFFFFFFF0, 17, 3, 11)]
    ):
        s = state[which]
        state[which] = (((s & mask) << left) & 0xFFFFFFFF) ^ ((((s << inner) & 0xFFFFFFFF) ^ s) >> right)
    return int32(state[0] ^ state[1] ^ state[2])


def tausworthe_draw(states) -> Draw:
    """Draws of `updates` from the streams of the heads; the streams move on."""
    return lambda number, entry, i, head: tausworthe(states[head]) % len(states)


def alpha(number, n_epochs, learning_rate=1.0):
    """Step of an epoch: umap-learn sets 1 - n/T after its epoch n, so that 0 and 1 use the full rate."""
    return learning_rate * (1.0 - max(number - 2, 0) / n_epochs)


# ---- the descent ---------------------------------------------------------------------------------


def attraction_force(delta, curve):
    """Minus the gradient of -ln q at y_head, clipped at 4 a coordinate; 0 where the points coincide.

    -2 a b d^(2b-2) / (1 + c + a d^(2b)) delta
    """
    a, b, c = curve
    d2 = np.float64(np.dot(delta, delta))
    if d2 == 0:
        return np.zeros_like(delta)
    coefficient = -2 * a * b * d2 ** (b - 1) / (1 + c + a * d2**b)
    return np.clip(coefficient * delta, -4, 4)


def repulsion_force(delta, curve, gamma=1.0):
    """Minus the gradient of -gamma ln(1 - q) at y_head, 1/d^2 softened to 1/(0.001 + d^2), clipped.

    2 gamma b / ((0.001 + d^2)(1 + c + u)) * u/(c + u) delta with u = a d^(2b); u/(c + u) = 1 in UMAP.
    """
    a, b, c = curve
    d2 = np.float64(np.dot(delta, delta))
    if d2 == 0:
        return np.zeros_like(delta)
    u = a * d2**b
    share = 1.0 if c == 0 else u / (c + u)
    return np.clip(2 * gamma * b / ((0.001 + d2) * (1 + c + u)) * share * delta, -4, 4)


def apply(Y, update: Update, curve, alpha, gamma=1.0, push_tail=False):
    """Move Y by one update and return the difference y_head - y_tail from before it."""
    head, tail, _, draw = update
    delta = Y[head] - Y[tail]
    if draw < 0:
        force = attraction_force(delta, curve)
        Y[tail] -= alpha * force
    else:
        force = repulsion_force(delta, curve, gamma)
        if push_tail:
            Y[tail] -= alpha * force
    Y[head] += alpha * force
    return delta


def apply_epoch(Y, listed, curve, alpha, gamma=1.0, push_tail=False):
    """Move Y by a list of updates, one after the other, and return their differences."""
    deltas = [apply(Y, update, curve, alpha, gamma, push_tail) for update in listed]
    return np.array(deltas).reshape(len(listed), Y.shape[1])


def apply_blocked_epoch(Y, listed, blocks, curve, alpha, gamma=1.0, differences=None):
    """Move Y by an epoch in blocks, `blocks` that of each update, and return the differences before each update.

    A head is where it has moved to, a vertex that it sees where it was before the block.  An attraction moves its head
    at once and its tail at the end of the block.  Forces are taken at `differences` instead, if they are given.
    """
    deltas = np.zeros((len(listed), Y.shape[1]))
    for block in sorted(set(blocks)):
        before, reactions = Y.copy(), np.zeros_like(Y)
        for t, (head, tail, _, draw) in enumerate(listed):
            if blocks[t] != block:
                continue
            deltas[t] = 0 if head == tail else Y[head] - before[tail]
            delta = deltas[t] if differences is None else np.asarray(differences[t], dtype=np.float64)
            force = attraction_force(delta, curve) if draw < 0 else repulsion_force(delta, curve, gamma)
            Y[head] += alpha * force
            if draw < 0:
                reactions[tail] -= alpha * force
        Y += reactions
    return deltas


def descend(
    mu, curve, Y0, draw, n_epochs, learning_rate=1.0, negative_sample_rate=5.0, gamma=1.0, push_tail=False
) -> Iterator[tuple[int, np.ndarray, list[Update], np.ndarray]]:
    """Epoch number, layout after it, its updates and the differences before each."""
    Y = np.array(Y0, dtype=np.float64)
    for number, listed in enumerate(updates(mu, n_epochs, draw, negative_sample_rate), start=1):
        deltas = apply_epoch(Y, listed, curve, alpha(number, n_epochs, learning_rate), gamma, push_tail)
        yield number, Y.copy(), listed, deltas


def counts(listed, deltas, n, push_tail=False):
    """Per vertex: attractions scheduled and realised (as head or tail), repulsions scheduled and realised.

    Repulsions count at the head, and at the tail too where it is pushed (a self-draw then counts twice). A
    self-draw or a coincident pair is scheduled, not realised.
    """
    attractions, attracted, repulsions, repelled = np.zeros((4, n), dtype=np.int64)
    for (head, tail, _, draw), delta in zip(listed, deltas, strict=True):
        moved = bool(np.dot(delta, delta) > 0)
        scheduled, realised = (attractions, attracted) if draw < 0 else (repulsions, repelled)
        for vertex in [head, tail] if draw < 0 or push_tail else [head]:
            scheduled[vertex] += 1
            realised[vertex] += moved
    return attractions, attracted, repulsions, repelled


# ---- pairs and Bernoulli terms -------------------------------------------------------------------


def squared_distances(Y):
    """d_ij^2, dense."""
    Y = np.asarray(Y, dtype=np.float64)
    return ((Y[:, None, :] - Y[None, :, :]) ** 2).sum(axis=2)


def logit(d2, curve):
    """theta = -ln(c + a d^(2b)); +inf at d = 0 where c = 0."""
    a, b, c = curve
    with np.errstate(divide="ignore"):
        if c == 0:
            return -np.log(a) - b * np.log(d2)
        return -np.log(c + a * np.asarray(d2, dtype=np.float64) ** b)


def similarity(Y, curve):
    """q_ij = 1/(1 + c + a d_ij^(2b)), diagonal at d = 0."""
    a, b, c = curve
    return 1 / (1 + c + a * squared_distances(Y) ** b)


def softplus(x):
    """ln(1 + e^x)."""
    return np.logaddexp(0, x)


def times(w, x):
    """w x with 0 inf = 0."""
    with np.errstate(invalid="ignore"):
        return np.where(np.asarray(w) == 0, 0.0, w * x)


def logs(p, rest):
    """ln p and ln(1 - p), each from whichever of p and rest = 1 - p is the more exact."""
    with np.errstate(divide="ignore"):
        return (
            np.where(rest < 0.5, np.log1p(-np.minimum(rest, 0.5)), np.log(p)),
            np.where(p < 0.5, np.log1p(-np.minimum(p, 0.5)), np.log(rest)),
        )


def h(p, rest=None):
    """Bernoulli entropy -p ln p - (1 - p) ln(1 - p); rest is 1 - p where that is known exactly."""
    p = np.asarray(p, dtype=np.float64)
    rest = 1 - p if rest is None else rest
    log_p, log_rest = logs(p, rest)
    return -times(p, log_p) - times(rest, log_rest)


def bce(p, theta, rest=None):
    """-p ln q - (1 - p) ln(1 - q) at the logit theta of q."""
    rest = 1 - np.asarray(p, dtype=np.float64) if rest is None else rest
    return times(p, softplus(-theta)) + times(rest, softplus(theta))


def kl(p, theta, rest=None):
    """p ln(p/q) + (1 - p) ln((1 - p)/(1 - q))."""
    p = np.asarray(p, dtype=np.float64)
    rest = 1 - p if rest is None else rest
    log_p, log_rest = logs(p, rest)
    with np.errstate(invalid="ignore"):  # -inf + inf where p or 1 - p is 0
        return times(p, log_p + softplus(-theta)) + times(rest, log_rest + softplus(theta))


def bernoulli_exact(p, theta):
    """BCE, KL and h of one pair by 400-digit decimals, so that nothing cancels for theta in [-700, 700]."""
    with localcontext() as context:
        context.prec = 400
        p, q = Decimal(float(p)), 1 / (1 + Decimal(float(-theta)).exp())
        cross, entropy, divergence = Decimal(0), Decimal(0), Decimal(0)
        for x, y in [(p, q), (1 - p, 1 - q)]:
            if x > 0:
                cross -= x * y.ln()
                entropy -= x * x.ln()
                divergence += x * (x / y).ln()
        return float(cross), float(divergence), float(entropy)


# ---- divergences -------------------------------------------------------------------------------


def arctan_exact(x):
    """arctan of a Decimal x >= 0, to the digits of the context."""
    for _ in range(10):
        x = x / (1 + (1 + x * x).sqrt())
    total, term, k = x, x, 1
    while abs(term) > abs(total).scaleb(-getcontext().prec):
        term *= -x * x
        k += 2
        total += term / k
    return total * 2**10


def divergence_exact(name, p, theta, order=None):
    """D(p || q) of one pair and its derivative in theta, by 300-digit decimals: the latter by differences.

    The names are those of umapinfo.measures.divergence; p is a float in [0, 1], theta one in [-300, 300].
    """
    with localcontext() as context:
        context.prec = 300
        step = Decimal(10) ** -25
        p, theta = Decimal(float(p)), Decimal(float(theta))
        at = [
            _divergence_exact(name, p, 1 / (1 + (-logit).exp()), order) for logit in (theta, theta - step, theta + step)
        ]
        if not at[0].is_finite():
            return np.inf, np.nan
        return float(at[0]), float((at[2] - at[1]) / (2 * step))


def _divergence_exact(name, p, q, order):
    def kl(u, v):
        terms = [(x, y) for x, y in ((u, v), (1 - u, 1 - v)) if x > 0]
        return sum((x * (x / y).ln() for x, y in terms), Decimal(0)) if all(y > 0 for _, y in terms) else Decimal("inf")

    if name == "kl" or order == 1:
        return kl(p, q)
    if name == "reverse_kl":
        return kl(q, p)
    if name == "jeffreys":
        return (kl(p, q) + kl(q, p)) / 2
    if name == "jensen_shannon":
        return 2 * kl(p, (p + q) / 2) + 2 * kl(q, (p + q) / 2)
    if name == "fisher_rao":
        angles = [4 * arctan_exact(x.sqrt() / (1 + (1 - x).sqrt())) for x in (p, q)]
        return (angles[0] - angles[1]) ** 2 / 2
    x = Decimal(0.5 if name == "hellinger" else float(order))
    Z = sum(((x * u.ln() + (1 - x) * v.ln()).exp() for u, v in ((p, q), (1 - p, 1 - q)) if u > 0), Decimal(0))
    return (Z.ln() if name == "renyi" else Z - 1) / (x * (x - 1))


def divergence(p, theta, name, order=None):
    """D(p || q), elementwise in float64 by the formulas of a textbook, in q and 1 - q."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        q, spare = np.exp(-softplus(-theta)), np.exp(-softplus(theta))
        mean, mean_rest = (p + q) / 2, (1 - p + spare) / 2
        if name == "reverse_kl":
            return times(q, np.log(q / p)) + times(spare, np.log(spare / (1 - p)))
        if name == "jeffreys":
            return (kl(p, theta) + divergence(p, theta, "reverse_kl")) / 2
        if name == "jensen_shannon":
            of_p = times(p, np.log(p / mean)) + times(1 - p, np.log((1 - p) / mean_rest))
            return 2 * (of_p + times(q, np.log(q / mean)) + times(spare, np.log(spare / mean_rest)))
        if name == "fisher_rao":
            return (2 * np.arctan2(np.sqrt(p), np.sqrt(1 - p)) - 2 * np.arctan2(np.sqrt(q), np.sqrt(spare))) ** 2 / 2
        x = {"kl": 1.0, "hellinger": 0.5}.get(name, order)
        if x == 1:
            return kl(p, theta)
        Z = times(p**x, q ** (1 - x)) + times((1 - p) ** x, spare ** (1 - x))
        return (np.log(Z) if name == "renyi" else Z - 1) / (x * (x - 1))


def fisher_matrix(Y, curve):
    """G(Y) = sum over pairs of q (1 - q) grad theta grad theta^T, float64[n d, n d]; pairs at distance 0 left out."""
    Y, (a, b, c) = np.asarray(Y, dtype=np.float64), curve
    n, dim = Y.shape
    G = np.zeros((n, dim, n, dim))
    for i in range(n):
        for j in range(i):
            delta = Y[i] - Y[j]
            if s := (delta**2).sum():
                x = c + a * s**b
                slope = -2 * a * b * s ** (b - 1) / x * delta  # of theta in y_i
                block = x / (1 + x) ** 2 * np.outer(slope, slope)
                for one, other, sign in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
                    G[one, :, other] += sign * block
    return G.reshape(n * dim, n * dim)


def angles(Y, curve):
    """The Fisher-Rao angles 2 arcsin q^(1/2) of all pairs, float64[n, n]; those of i = j are 0."""
    a, b, c = curve
    x = c + a * squared_distances(Y) ** b
    phi = 2 * np.arctan2(1, np.sqrt(x))
    np.fill_diagonal(phi, 0)
    return phi


# ---- losses --------------------------------------------------------------------------------------


def off_diagonal(n):
    """1 off the diagonal, 0 on it."""
    return 1 - np.eye(n)


def purported(mu):
    """Weights A = mu, B = 1 - mu of the loss in UMAP's paper."""
    return mu * off_diagonal(len(mu)), (1 - mu) * off_diagonal(len(mu))


def effective(mu, m_neg, gamma=1.0):
    """Weights A = mu, B = gamma m_neg (d_i + d_j)/(2n) of the loss that sampling with pushed tails has."""
    n, d = len(mu), degree(mu)
    return mu * off_diagonal(n), gamma * m_neg * np.add.outer(d, d) / (2 * n) * off_diagonal(n)


def target(A, B):
    """nu* = A/(A + B), the minimiser pair by pair; 0 where both weights are 0."""
    return np.divide(A, A + B, out=np.zeros_like(A), where=A + B > 0)


def loss(A, B, Y, curve):
    """BCE, KL and H of the Bernoulli loss of A, B, in all and per vertex (half of a pair to each end)."""
    d2 = squared_distances(Y)
    theta = logit(d2, curve)
    nu, rest, w = target(A, B), target(B, A), A + B
    terms = {
        "attraction": times(A, softplus(-theta)),
        "repulsion": times(B, softplus(theta)),
        "kl": times(w, kl(nu, theta, rest)),
        "entropy": times(w, h(nu, rest)),
    }
    terms["bce"] = terms["attraction"] + terms["repulsion"]
    upper = np.triu_indices(len(A), 1)
    result = {name: term[upper].sum() for name, term in terms.items()}
    result |= {f"{name}_vertex": (term * 0.5).sum(axis=1) for name, term in terms.items()}
    apart = d2[upper] > 0
    finite = {name: term[upper][apart].sum() for name, term in terms.items()}
    result["identity_residual"] = finite["kl"] - finite["bce"] + finite["entropy"]
    result["n_coincident"] = int((~apart).sum())
    return result


def generalised_divergence(u, log_u, log_v):
    """I(u || v) = sum u ln(u/v) - u + v for arrays that need not sum to 1."""
    with np.errstate(invalid="ignore"):
        return float((times(u, log_u - log_v) - u + np.exp(log_v)).sum())


def i_divergence(mu, Y, curve):
    """KL of the purported loss = shape + mass + complement, with I = shape + mass (ledger, C33)."""
    upper = np.triu_indices(len(mu), 1)
    p, theta = mu[upper], logit(squared_distances(Y)[upper], curve)
    log_p, log_rest = logs(p, 1 - p)
    log_q, log_not_q = -softplus(-theta), -softplus(theta)
    Z_p, Z_q = p.sum(), np.exp(log_q).sum()
    log_Z = np.log(Z_p / Z_q) if Z_p > 0 else 0.0
    return {
        "i_divergence": generalised_divergence(p, log_p, log_q),
        "i_divergence_shape": float(times(p, log_p - log_q - log_Z).sum()),
        "i_divergence_mass": float(Z_p * log_Z - Z_p + Z_q),
        "i_divergence_complement": generalised_divergence(1 - p, log_rest, log_not_q),
    }


def article_cross_entropy(mu, Y, curve):
    """The article's (7): -sum over edges of p ln q."""
    upper = np.triu_indices(len(mu), 1)
    return float(times(mu[upper], softplus(-logit(squared_distances(Y)[upper], curve))).sum())


def clipped_log(x):
    """ln min(x + 1e-4, 1), as in Damrich and Hamprecht's code."""
    return np.log(np.minimum(x + 1e-4, 1))


def dh_purported(mu, nu):
    """Purported loss over ordered pairs, diagonal included, clipped logarithm; nu dense with its diagonal."""
    return float(-(mu * clipped_log(nu) + (1 - mu) * clipped_log(1 - nu)).sum())


def dh_effective(mu, nu, m_neg):
    """Effective loss in the same convention."""
    d = degree(mu)
    push = m_neg * np.add.outer(d, d) / (2 * len(mu))
    return float(-(mu * clipped_log(nu) + push * clipped_log(1 - nu)).sum())


def sampled_loss(listed, deltas, curve, gamma=1.0):
    """Sums of -ln q over attractions and -gamma ln(1 - q) over repulsions that moved, and their numbers."""
    sums, number = [0.0, 0.0], [0, 0]
    for (_, _, _, draw), delta in zip(listed, deltas, strict=True):
        d2 = float(np.dot(delta, delta))
        if d2 > 0:
            theta = float(logit(d2, curve))
            sums[draw >= 0] += softplus(-theta) if draw < 0 else gamma * softplus(theta)
            number[draw >= 0] += 1
    return sums[0], sums[1], number[0], number[1]


def pair_potential(name, d2, curve):
    """One of the potentials of pair_sums at squared distance d2, infinite where it is."""
    a, b, c = curve
    x = c + a * d2**b
    with np.errstate(divide="ignore"):
        if name == "attraction":
            return np.log1p(x)
        if name == "repulsion":
            return np.log1p(np.float64(1) / x)
        if name == "similarity":
            return 1 / (1 + x)
        if name == "repulsion_clipped":
            return -np.log(min(x / (1 + x) + 1e-4, 1.0))
        # Chain rule in d: x' = 2 a b d^(2b-1), (ln(1 + x))' = x'/(1 + x), (ln(1 + 1/x))' = -x'/(x (1 + x)), theta' =
        # -x'/x.  For c = 0 powers of d cancel and are left out, as they are 0 or infinite at d = 0.
        d2 = np.float64(d2)
        dx_over_d = 2 * a * b * d2 ** (b - 1)
        if name == "attraction_slope":
            return dx_over_d / (1 + x)
        if name == "repulsion_square":
            return pair_potential("repulsion_slope", d2, curve) ** 2
        if name == "repulsion_slope":
            return -2 * b / d2 / (1 + x) if c == 0 else -dx_over_d / (x * (1 + x))
        if name == "fisher":
            squared = 2 * b * dx_over_d if c == 0 else 4 * a**2 * b**2 * d2 ** (2 * b - 1) / x
            return squared / (1 + x) ** 2
        if name == "variance":
            return x / (1 + x) ** 2
        dq_over_d = -dx_over_d / (1 + x) ** 2
        if name == "similarity_slope":
            return dq_over_d
        if name in ("entropy", "entropy_slope"):  # dh/dq = ln((1 - q)/q)
            value = np.log1p(x) + times(x, np.log1p(1 / np.float64(x)))
            if name == "entropy":
                return value / (1 + x)
            return times(dq_over_d, np.log(x)) if x != 1 else 0.0
        if name == "jensen_shannon":  # 2 KL(0 || q/2) + 2 KL(q || q/2)
            to_mean = np.log1p(1 / (1 + 2 * x))
            return 2 * to_mean + 2 * (np.log(2) - times(x, np.log1p(1 / np.float64(2 * x)))) / (1 + x)
        if name == "jensen_shannon_slope":
            return times(2 * dq_over_d, np.log(2 + 1 / np.float64(x)))
        if name == "fisher_rao":
            return 2 * np.arctan2(1, np.sqrt(x)) ** 2
        if name == "fisher_rao_slope":  # dphi/dx = -x^(-1/2) / (1 + x)
            root = 2 * b * np.sqrt(a) * d2 ** (b / 2 - 1) if c == 0 else dx_over_d / np.sqrt(x)
            return -2 * np.arctan2(1, np.sqrt(x)) * root / (1 + x)
        if name.startswith("alpha"):
            order = float(name[name.index("(") + 1 : -1])
            if name.startswith("alpha("):
                return np.expm1((order - 1) * np.log1p(1 / np.float64(x))) / (order * (order - 1))
            power = 2 * b * a ** (1 - order) * d2 ** (b - 1 - b * order) if c == 0 else dx_over_d * x**-order
            return -power * (1 + x) ** (order - 2) / order
        if name.endswith("_tensor"):
            return tensor(name, x, d2, curve)
        if name == "similarity_log":
            return np.log(d2) / 2 / (1 + x)  # half of ln d^2: near d = 1 the root would lose digits
        power = {"variance_log": 1, "variance_log2": 2}[name]
        return x / (1 + x) ** 2 * (np.log(d2) / 2) ** power if x > 0 else 0.0


def tensor(name, x, d2, curve):
    """The tensors of pair_potential by the chain rule in s = d^2, with f(x(s)) = ln(1 + x) or ln(1 + 1/x).

    4 f_ss = 4 (f'' x_s^2 + f' x_ss); Fisher's metric has 4 q (1 - q) theta_s^2 = 4 x/(1 + x)^2 (x_s/x)^2.  At d = 0,
    where powers of opposite sign may be infinite, infinite.
    """
    a, b, c = curve
    if d2 == 0 and (b < 1 or 1 < b < 2 or (c == 0 and name == "repulsion_tensor")):
        return np.inf
    with np.errstate(divide="ignore"):
        xs2, xss = (a * b) ** 2 * d2 ** (2 * b - 2), a * b * (b - 1) * d2 ** (b - 2) if b != 1 else 0.0
        if name == "attraction_tensor":
            return 4 * (xss / (1 + x) - xs2 / (1 + x) ** 2)
        if name == "fisher_tensor":  # where c = 0, powers of d cancel
            return 4 / (1 + x) ** 2 * (a * b**2 * d2 ** (b - 2) if c == 0 else xs2 / x)
        if c == 0:
            return 4 * (b**2 * (1 + 2 * x) / (1 + x) ** 2 - b * (b - 1) / (1 + x)) / d2**2
        return 4 * (xs2 * (1 + 2 * x) / (x * (1 + x)) ** 2 - xss / (x * (1 + x)))


def pair_sums(Y, potentials, weights, curve, moment=0):
    """sum_{j != i} w_jr f_a(d_ij) Delta^(moment) by loops, and per vertex the other points at distance 0.

    A pair at distance 0 counts f(0) where that is finite and is left out where it is not.
    """
    Y = np.asarray(Y, dtype=np.float64)
    names = [potentials] if isinstance(potentials, str) else list(potentials)
    weights = np.asarray(weights, dtype=np.float64).reshape(len(Y), -1)
    n, dim = Y.shape
    values = np.zeros((n, len(names), weights.shape[1]) + (dim,) * moment)
    n_coincident = np.zeros(n, dtype=np.int64)
    for i in range(n):
        for j in range(n):
            if i == j:
                continue
            delta = Y[i] - Y[j]
            d2 = np.dot(delta, delta)
            n_coincident[i] += d2 == 0
            factor = [1.0, delta, np.outer(delta, delta)][moment]
            for a, name in enumerate(names):
                f = pair_potential(name, d2, curve)
                if np.isfinite(f):
                    values[i, a] += np.multiply.outer(weights[j], f * factor)
    return values, n_coincident


# ---- second derivatives ---------------------------------------------------------------------------


def pair_curvatures(d, A, B, curve):
    """Of one pair, with F = A softplus(-theta) + B softplus(theta): Fisher's g, F'' and F'/d, and their absolute terms.

    theta' = -2 b r/d and theta'' = (2 b r/d^2)(1 - 2 b (1 - r)) with r = a d^2b/(c + a d^2b);  F' = (B q - A (1 - q))
    theta', F'' = (A + B) q (1 - q) theta'^2 + (B q - A (1 - q)) theta''.
    """
    a, b, c = curve
    u = a * (d * d) ** b
    q, rest, r = 1 / (1 + c + u), (c + u) / (1 + c + u), u / (c + u)
    first, second = -2 * b * r / d, 2 * b * r / d**2 * (1 - 2 * b * (1 - r))
    g = (A + B) * q * rest * first**2
    size = g + (B * q + A * rest) * (2 * b * r / d**2) * (2 + 2 * b * (1 - r))
    return g, g + (B * q - A * rest) * second, (B * q - A * rest) * first / d, size


def second_derivatives(A, B, Y, curve):
    """The Fisher metric and the Hessian of the loss of dense A, B, float64[n m, n m]; per vertex their absolute terms.

    Each pair has g u u^T, and F'' u u^T + F'/d (1 - u u^T), in the blocks ii and jj, minus that in ij and ji.  Pairs at
    distance 0 are left out.
    """
    Y = np.asarray(Y, dtype=np.float64)
    n, m = Y.shape
    G, H, sizes = np.zeros((n, m, n, m)), np.zeros((n, m, n, m)), np.zeros(n)
    for i in range(n):
        for j in range(i):
            d = np.sqrt(((Y[i] - Y[j]) ** 2).sum())
            if d == 0:
                continue
            uu = np.outer(Y[i] - Y[j], Y[i] - Y[j]) / d**2
            g, along, across, size = pair_curvatures(d, A[i, j], B[i, j], curve)
            for matrix, block in ((G, g * uu), (H, along * uu + across * (np.eye(m) - uu))):
                for k in (i, j):
                    matrix[k, :, i + j - k] -= block
                    matrix[k, :, k] += block
            sizes[[i, j]] += size
    return G.reshape(n * m, n * m), H.reshape(n * m, n * m), sizes


# ---- degree and binarisation ---------------------------------------------------------------------


def degree_bounds(P):
    """Row sums, column sums, degrees and their exact bounds for the union of a directed P.

    d_i = S_i + c_i - sum_j P_ij P_ji;  max(S_i, c_i) <= d_i <= min(n - 1, S_i + c_i);
    mean S + mean_i sum_j P (1 - P) <= mean d <= 2 mean S - 2/n, the last if some pair has P = 1 both ways.
    """
    n = len(P)
    S, c = P.sum(axis=1), P.sum(axis=0)
    overlap = (P * P.T).sum(axis=1)
    listed = P > 0
    return {
        "S": S,
        "c": c,
        "overlap": overlap,
        "d": S + c - overlap,
        "lower": np.maximum(S, c),
        "upper": np.minimum(n - 1, S + c),
        "mean": float((S + c - overlap).mean()),
        "mean_lower": float(S.mean() + (P * (1 - P)).sum() / n),
        "mean_upper": float(2 * S.mean() - 2 / n),
        "reciprocity": float((listed & listed.T).sum() / max(listed.sum(), 1)),
        "n_neighbors": (listed | listed.T).sum(axis=1),
    }


def hill_number(w, alpha):
    """Effective number of order alpha of the weights w >= 0: (sum of r^alpha)^(1/(1 - alpha)) of the shares r."""
    w = np.asarray(w, dtype=np.float64)
    r = w[w > 0] / w.sum()
    if alpha == np.inf:
        return 1 / r.max()
    if alpha == 1:
        return np.exp(-(r * np.log(r)).sum())
    return (r**alpha).sum() ** (1 / (1 - alpha))


def binarisation(v):
    """How near v is to 0 and 1: 20 bins, shares within 0.01 and 0.05 of the ends, mean v(1 - v) and h."""
    v = np.asarray(v, dtype=np.float64)
    result = {"histogram": np.histogram(v, bins=20, range=(0, 1))[0]}
    for name, eps in [("01", 0.01), ("05", 0.05)]:
        result[f"near_zero_{name}"] = float(np.mean(v <= eps))
        result[f"near_one_{name}"] = float(np.mean(v >= 1 - eps))
    return result | {"variance": float(np.mean(v * (1 - v))), "entropy": float(np.mean(h(v)))}


def symmetric_entropy_max(n_i, s_i):
    """Largest Bernoulli entropy of n_i numbers in [0, 1] of sum s_i: n_i h(s_i/n_i)."""
    n_i, s_i = np.asarray(n_i, dtype=np.float64), np.asarray(s_i, dtype=np.float64)
    mean = np.divide(s_i, n_i, out=np.zeros(np.broadcast(n_i, s_i).shape), where=n_i > 0)
    return n_i * h(np.clip(mean, 0, 1))


def row_entropy_max(S, k):
    """The same for a directed row of k - 1 memberships, one of which is 1: (k - 2) h((S - 1)/(k - 2))."""
    return symmetric_entropy_max(k - 2, np.asarray(S, dtype=np.float64) - 1)
