"""The truth joined to the reads: which have a known origin; clear errors where the file does not fit them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.backbone.truth import read_truth
from isthmus.core.errors import InvalidInput
from isthmus.report.scores import Ints, Labelled

Floats = npt.NDArray[np.float32]


class Truth:
    """A truth file read once; `codes` turns ids into label numbers and remembers which ids were met."""

    def __init__(self, path: Path) -> None:
        self.path = path
        by_id = read_truth(path)
        self.names: list[str] = sorted(set(by_id.values()))
        number = {name: i for i, name in enumerate(self.names)}
        self._code = {name: number[label] for name, label in by_id.items()}
        self._met: set[str] = set()
        self.example = ""

    def codes(self, ids: Sequence[str]) -> Ints:
        """(n,) label number of each id, -1 where the file does not name it; remembers the ids that it met."""
        found = np.fromiter((self._code.get(one, -1) for one in ids), np.int64, count=len(ids))
        self.example = self.example or next(iter(ids), "")
        self._met.update(ids[int(i)] for i in np.flatnonzero(found >= 0))
        return found

    def check(self) -> int:
        """Number of ids that no read carries: the file may be of a larger set, of which these reads are a part.

        Raises: InvalidInput where no id is the name of a read.
        """
        unknown = [one for one in self._code if one not in self._met]
        if len(unknown) == len(self._code):
            raise InvalidInput(
                f"truth file {self.path}: none of its {len(unknown):,} ids is the name of a read (first: "
                f"{unknown[0]!r}; a read's name: {self.example!r}); expected names as in the reads' files, up to the "
                "first blank"
            )
        return len(unknown)


def labelled(
    truth: Truth, codes: Ints, cluster: Ints, *, length: Ints, confidence: Floats, cuts: Sequence[float]
) -> Labelled:
    """The reads of known origin among (N,) rows; `codes` is -1 for the others."""
    own = codes >= 0
    return Labelled(
        names=truth.names,
        truth=codes[own],
        cluster=cluster[own].astype(np.int64),
        length=length[own].astype(np.int64),
        # the k-th cut-off is reached where confidence >= cuts[k]; cuts rise
        cut=np.searchsorted(np.asarray(cuts, np.float32), confidence[own], side="right").astype(np.int64),
    )
