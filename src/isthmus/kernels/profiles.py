"""The k-mer profiles that the kernels count: tables of canonical k-mers, and the basis of the 103-dimensional form."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.core.errors import InvalidInput

Array = npt.NDArray[Any]

PADDED = 112  # columns of the basis as the compiled kernel reads it: seven vectors of 16 floats
KERNEL4_DIM = 103
# Raised whenever the bytes of an embedding change: part of plans and manifests. tests/kernels/test_scan_golden.py.
VERSIONS = {"kernel:4": 2, "kmer:3": 1, "kmer:4": 1, "kmer:5": 1, "kmer:6": 1}
_CODES = {"A": 0, "C": 1, "T": 2, "G": 3}  # (letter >> 1) & 3, which costs no table
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


@dataclass(frozen=True, eq=False)
class Profiles:
    """What is computed of a sequence.

    Args:
        name:    `kmer:3` to `kmer:6`, or `kernel:4`.
        version: stands for the bytes that are computed; another version, other bytes.
        k:       length of the k-mers; 0 for no features at all.
        dim:     numbers per profile.
        kmers:   the canonical k-mers, in lexicographic order.
        forward: uint16 (canonical,): place of each in a table of 4^k counts with letter codes A 0, C 1, T 2, G 3.
        reverse: uint16 (canonical,): place of its reverse complement; 4^k, always empty, where both are one.
        basis:   None, or float32 (canonical, 112): what canonical counts are multiplied with; columns 103.. are 0.
    """

    name: str
    version: int
    k: int
    dim: int
    kmers: tuple[str, ...]
    forward: Array
    reverse: Array
    basis: Array | None


@functools.cache
def profiles(name: str) -> Profiles:
    """The profiles called `name`. Raises InvalidInput for one that does not exist."""
    if name == "none":
        empty = np.zeros(0, np.uint16)
        return Profiles(name, 0, 0, 0, (), empty, empty, None)
    if name == "kernel:4":
        return _tables(name, 4, kernel4_basis())
    if name in VERSIONS:
        return _tables(name, int(name[-1]), None)
    raise InvalidInput(f"embedding {name!r} does not exist; use kernel:4, kmer:3, kmer:4, kmer:5 or kmer:6")


def reverse_complement(kmer: str) -> str:
    return kmer.translate(_COMPLEMENT)[::-1]


def canonical_kmers(k: int) -> tuple[str, ...]:
    """All k-mers that are not greater than their reverse complement, in lexicographic order."""
    words = map("".join, product("ACGT", repeat=k))
    return tuple(word for word in words if word <= reverse_complement(word))


@functools.cache
def error_probabilities() -> Array:
    """Error probability 10^(-Q/10) of quality Q = 0 .. 93; float64 (94,), correctly rounded on every machine."""
    with localcontext() as context:
        context.prec = 40
        return np.array([float(Decimal(10) ** (Decimal(-q) / 10)) for q in range(94)])


def _tables(name: str, k: int, basis: Array | None) -> Profiles:
    kmers = canonical_kmers(k)
    forward = np.array([_place(word) for word in kmers], np.uint16)
    mirrored = [4**k if word == reverse_complement(word) else _place(reverse_complement(word)) for word in kmers]
    padded = None
    if basis is not None:
        padded = _on_line(len(kmers))
        padded[:, : basis.shape[1]] = basis
    dim = len(kmers) if basis is None else basis.shape[1]
    return Profiles(name, VERSIONS[name], k, dim, kmers, forward, np.array(mirrored, np.uint16), padded)


def _on_line(rows: int) -> Array:
    """Zeros that begin on a cache line: a row is seven whole lines, and no vector of the kernel lies across two."""
    room = np.zeros(rows * PADDED + 16, np.float32)
    skip = -room.ctypes.data % 64 // 4
    return room[skip : skip + rows * PADDED].reshape(rows, PADDED)


def _place(word: str) -> int:
    place = 0
    for letter in word:
        place = 4 * place + _CODES[letter]
    return place


def kernel4_basis() -> Array:
    """The map from canonical 4-mer frequencies (136,) to the 103 strand-symmetric coordinates; float64 (136, 103).

    Kislyuk et al. (2009) and Nissen et al. (2021, VAMB): the 256 frequencies, averaged with their reverse complements,
    obey linear constraints (for every 3-mer the sum of XNNN is that of NNNX; they sum to one) and so lie in a subspace
    of 103 dimensions. Which orthonormal basis is free, and matters once columns are scaled one by one: here each
    column is a contrast that can be named, `_characters` from the simplest on (docs/decisions/0002-kernel4-basis.md).
    Only + - * / sqrt in a stated order: the same bits on every machine.
    """
    kmers = canonical_kmers(4)
    # One coordinate per canonical k-mer, of unit length in the space of 256: (k + rc) / sqrt(2), or k where both are k.
    scale = np.array([1.0 if word == reverse_complement(word) else np.sqrt(2.0) for word in kmers])
    forbidden = _orthonormal(_constraints(kmers) * scale, np.zeros((0, len(kmers))))
    rows = _orthonormal(_characters(kmers) * scale, forbidden)
    return np.ascontiguousarray((rows / scale).T)


def _constraints(kmers: tuple[str, ...]) -> Array:
    """Rows that symmetric frequencies are orthogonal to (after centring), per canonical k-mer; (65, canonical)."""
    rows = [[1.0] * len(kmers)]
    for trimer in map("".join, product("ACGT", repeat=3)):
        row = []
        for word in kmers:
            pair = (word, reverse_complement(word))
            row.append(sum((w[1:] == trimer) - (w[:3] == trimer) for w in pair) / 2)
        rows.append(row)
    return np.array(rows)


def _characters(kmers: tuple[str, ...]) -> Array:
    """Products of one contrast per position, averaged over both strands; (136, canonical).

    The contrasts of a letter: none, strong or weak (CG:AT), purine or pyrimidine (AG:CT), amino or keto (AC:GT). In
    order of how many positions have one: first base composition, then pairs of positions, and so on. A product read
    backwards is the same but for its sign, and left out.
    """
    contrasts = np.array([[1, -1, 1, 1], [1, 1, -1, 1], [1, 1, 1, -1], [1, -1, -1, -1]])  # of A, C, G, T
    orders = [one for one in product(range(4), repeat=4) if one <= one[::-1]]
    orders.sort(key=lambda one: (sum(c > 0 for c in one), one))
    both = [np.array([["ACGT".index(x) for x in word] for word in strand]) for strand in _strands(kmers)]
    rows = [sum(contrasts[letters, order].prod(axis=1) for letters in both) / 32 for order in orders]
    return np.array(rows)


def _strands(kmers: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return kmers, tuple(map(reverse_complement, kmers))


def _orthonormal(rows: Array, against: Array) -> Array:
    """Gram-Schmidt, twice for each row, in order; rows that depend on `against` or on earlier ones are left out.

    Sums by cumsum, which adds one by one, in order, on every machine.
    """
    done = np.concatenate([against, np.zeros_like(rows)])
    n = first = len(against)
    for row in rows:
        left = row
        for _ in range(2 if n else 0):
            parts = np.cumsum(done[:n] * left, axis=1)[:, -1:] * done[:n]
            left = left - np.cumsum(parts, axis=0)[-1]
        size = np.sqrt(np.cumsum(left * left)[-1])
        if size > 1e-6:
            done[n] = left / size
            n += 1
    return done[first:n]
