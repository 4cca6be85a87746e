"""Colours and shapes for clusters: 64 marks that colour-blind readers tell apart, in light and dark."""

from __future__ import annotations

from dataclasses import dataclass

# Okabe & Ito (2008), "Color universal design": eight colours that stay apart under the common colour blindnesses. Their
# black becomes near-white on a dark page; yellow is drawn with an outline, since it is pale on white.
LIGHT = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#3b3b3b")
DARK = ("#3d9fdb", "#e69f00", "#12b886", "#d98cb8", "#8acdf5", "#f0722a", "#f0e442", "#e8e8e8")

# Paths around (0, 0), of about equal area; drawn at scale 1 they are some 10 units wide.
SHAPES = (
    ("circle", "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z"),
    ("square", "M-4-4h8v8h-8z"),
    ("triangle", "M0-5.4L5.2 3.8H-5.2z"),
    ("diamond", "M0-5.7L5.7 0L0 5.7L-5.7 0z"),
    ("triangle pointing down", "M0 5.4L-5.2-3.8H5.2z"),
    ("plus", "M-1.9-5.4h3.8v3.5h3.5v3.8h-3.5v3.5h-3.8v-3.5h-3.5v-3.8h3.5z"),
    ("star", "M0-6.2L1.7-2.1L6.1-1.7L2.7 1.2L3.7 5.5L0 3.1L-3.7 5.5L-2.7 1.2L-6.1-1.7L-1.7-2.1z"),
    ("hourglass", "M-5-5.2H5L1.4 0L5 5.2H-5L-1.4 0z"),
)
NO_CLUSTER = ("cross", "M-3.6-4.7L0-1.1L3.6-4.7L4.7-3.6L1.1 0L4.7 3.6L3.6 4.7L0 1.1L-3.6 4.7L-4.7 3.6L-1.1 0L-4.7-3.6z")


@dataclass(frozen=True)
class Mark:
    """How one cluster is drawn: `colour` indexes LIGHT and DARK (-1: grey), `shape` indexes SHAPES (-1: NO_CLUSTER)."""

    colour: int
    shape: int


def mark_of(cluster: int) -> Mark:
    """The mark of a cluster; the first eight differ in colour and in shape, the first 64 in one of the two."""
    if cluster < 0:
        return Mark(-1, -1)
    colour, turn = cluster % len(LIGHT), cluster // len(LIGHT)
    return Mark(colour, (colour + turn) % len(SHAPES))
