"""Cleaning: which reads are dropped before anything is computed of them."""

from __future__ import annotations

from dataclasses import dataclass

from isthmus.core.errors import InvalidInput
from isthmus.kernels.batch import Cut


@dataclass(frozen=True)
class Cleaning:
    """The filters, asked in this order; a read is counted under the first that takes it.

    Args:
        min_length:       bases; shorter reads are `too_short`.
        min_mean_quality: Phred, -10 log10 of the mean error probability; worse reads are `low_quality`. Reads without
                          qualities (FASTA) pass; an empty FASTQ read does not, where this is above 0.
        max_n_share:      of letters that are not A, C, G, T or U, 0 to 1; reads with more are `many_n`.
    """

    min_length: int = 0
    min_mean_quality: float = 0.0
    max_n_share: float = 1.0

    def __post_init__(self) -> None:
        if self.min_length < 0:
            raise InvalidInput(f"min_length is {self.min_length}; use 0 or more bases")
        if not 0 <= self.min_mean_quality <= 93:
            raise InvalidInput(f"min_mean_quality is {self.min_mean_quality}; use a Phred score from 0 to 93")
        if not 0 <= self.max_n_share <= 1:
            raise InvalidInput(f"max_n_share is {self.max_n_share}; use a share from 0 to 1")

    def cut(self) -> Cut:
        """The same, as the kernel takes it."""
        return Cut(self.min_length, float(self.min_mean_quality), float(self.max_n_share))
