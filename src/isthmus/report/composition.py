"""What sets the clusters apart: the k-mers whose frequency differs most between them, seen against their spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.core.errors import InvalidInput
from isthmus.kernels.profiles import profiles, reverse_complement

Floats = npt.NDArray[np.float64]

MOST_KMERS = 14


@dataclass(frozen=True)
class TellingKmers:
    """How far clusters differ in their most telling k-mers.

    Args:
        kmers:    canonical k-mers, each standing for itself and its reverse complement, the most telling first.
        clusters: cluster numbers, rising.
        z:        (clusters, kmers): mean of the cluster less the mean of all clusters, in standard deviations of single
                  reads within clusters.
        reads:    reads that this is computed from.
    """

    kmers: tuple[str, ...]
    clusters: tuple[int, ...]
    z: Floats
    reads: int


def telling_kmers(features: npt.NDArray[Any], cluster: npt.NDArray[np.int32], embedder: str) -> TellingKmers | None:
    """The k-mers that tell the clusters apart best, among (n, D) raw features of n reads.

    Returns None where features are no k-mer profiles, or fewer than two clusters have two reads.
    """
    rows = decode(features[cluster >= 0], embedder)
    names, index, sizes = np.unique(cluster[cluster >= 0], return_inverse=True, return_counts=True)
    if rows is None or np.count_nonzero(sizes >= 2) < 2:
        return None
    frequencies, kmers = rows
    means = np.zeros((len(names), frequencies.shape[1]))
    np.add.at(means, index, frequencies)
    means /= sizes[:, None]
    within = np.sqrt(np.mean((frequencies - means[index]) ** 2, axis=0))
    z = (means - means.mean(axis=0)) / np.where(within > 0, within, np.inf)
    best = np.argsort(-np.sqrt(np.mean(z**2, axis=0)), kind="stable")[:MOST_KMERS]
    return TellingKmers(tuple(kmers[i] for i in best), tuple(int(n) for n in names), z[:, best], len(frequencies))


def decode(features: npt.NDArray[Any], embedder: str) -> tuple[Floats, tuple[str, ...]] | None:
    """Frequencies of canonical k-mers behind (n, D) features, up to a constant per k-mer, and the k-mers; None if none.

    The 103 coordinates of kernel:4 are a linear map of the canonical frequencies (kernels.profiles), one to one on the
    subspace of strand-symmetric sequences. The map back is the pseudo-inverse in the space of all 256 k-mers, where a
    k-mer and its reverse complement are two axes: there the subspace is the one that the inverse of least norm lies in.
    """
    try:
        form = profiles(embedder)
    except InvalidInput:
        return None
    values = np.asarray(features, np.float64)
    if not form.kmers or values.shape[1] != form.dim:
        return None
    if form.basis is None:
        return values, form.kmers
    scale = np.array([1.0 if word == reverse_complement(word) else np.sqrt(2.0) for word in form.kmers])
    back = np.linalg.pinv(np.asarray(form.basis[:, : form.dim], np.float64) * scale[:, None])
    return values @ back * scale, form.kmers
