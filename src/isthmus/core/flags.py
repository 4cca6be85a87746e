"""Documented bits of the columns `flags`."""

from __future__ import annotations

from enum import IntFlag


class ReadFlag(IntFlag):
    """Bits of `flags` in a product of reads."""

    NO_KMERS = 1  # no valid k-mer in the whole read: its profile is all zeros
    HALF_EMPTY = 2  # at least one half has no valid k-mer: that half's profile is all zeros


class LabelFlag(IntFlag):
    """Bits of `flags` in a product of cluster labels. Flagged reads are kept."""

    HALVES_DISAGREE = 1  # the two halves lie nearest to different clusters
    CHIMERA_SUSPECT = 2  # they disagree, and each half sits well inside its own cluster
    UNASSIGNED = 4  # too far from every cluster, or nothing to judge by; cluster is -1
    NO_KMERS = 8  # the read had no valid k-mer
