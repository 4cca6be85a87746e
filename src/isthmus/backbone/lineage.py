"""Lineage: from a version back to the raw files it was made of, and on to what was made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from isthmus.core.commit import Commit
from isthmus.core.errors import NotFound
from isthmus.core.plan import FileInput
from isthmus.core.ref import Ref


@dataclass(frozen=True)
class Node:
    """One version or raw file of a lineage.

    Args:
        what:    the Ref, or the raw file with its checksum.
        commit:  how the version was made; None for a raw file, and for a version whose record is gone.
        inputs:  what it was made of; the version that it appends to comes first.
        repeats: it stands earlier in the tree too, and its inputs are shown there only.
    """

    what: Ref | FileInput
    commit: Commit | None
    inputs: tuple[Node, ...] = ()
    repeats: bool = False


def upstream(ref: Ref, commit_of: Callable[[Ref], Commit]) -> Node:
    """The tree of everything that `ref` was made of, down to raw files; each version is opened out once.

    Args:   commit_of: the record of a Ref; NotFound where there is none, e.g. `lambda ref: lake.read(ref).commit`.
    Raises: NotFound for `ref` itself only; an input whose record is gone is a leaf without a commit.
    """
    seen: set[Ref] = set()
    commit_of(ref)
    return _opened(ref, commit_of, seen)


def in_order(root: Node) -> list[Node]:
    """The nodes of a tree, each version or file once, every one after all that it was made of: raw files first."""
    found: dict[Ref | FileInput, Node] = {}
    waiting: list[tuple[Node, bool]] = [(root, False)]
    while waiting:
        node, opened = waiting.pop()
        if opened:
            found.setdefault(node.what, node)
        elif not node.repeats:
            waiting.append((node, True))
            waiting += [(one, False) for one in reversed(node.inputs)]
    return list(found.values())


def downstream(ref: Ref, commits: Iterable[Commit]) -> list[Commit]:
    """The commits that `ref` went into, directly or through others, in the order of `commits`.

    A version that appends to a tainted version is tainted too.
    """
    every = list(commits)
    tainted = {ref}
    grew = True
    while grew:
        fresh = {one.ref for one in every if one.ref not in tainted and tainted.intersection(_sources(one))}
        tainted |= fresh
        grew = bool(fresh)
    return [one for one in every if one.ref in tainted and one.ref != ref]


def _opened(ref: Ref, commit_of: Callable[[Ref], Commit], seen: set[Ref]) -> Node:
    """The tree below `ref`, depth first, without recursion: a product may be appended to thousands of times."""
    made: dict[Ref, Node] = {}
    commits: dict[Ref, Commit] = {}
    waiting: list[tuple[Ref, bool]] = [(ref, False)]
    order: list[Ref] = []
    while waiting:
        here, opened = waiting.pop()
        if opened:
            order.append(here)
            continue
        if here in seen:
            continue
        seen.add(here)
        try:
            commits[here] = commit_of(here)
        except NotFound:
            made[here] = Node(here, None)
            continue
        waiting.append((here, True))
        waiting += [(one, False) for one in reversed(_sources(commits[here])) if isinstance(one, Ref)]
    shown: set[Ref] = set()
    for here in order:
        made[here] = Node(here, commits[here], tuple(_input(one, made, shown) for one in _sources(commits[here])))
    return made[ref]


def _input(one: Ref | FileInput, made: dict[Ref, Node], shown: set[Ref]) -> Node:
    if isinstance(one, FileInput):
        return Node(one, None)
    whole = made[one]
    if one in shown and whole.inputs:
        return Node(one, whole.commit, (), True)
    shown.add(one)
    return whole


def _sources(commit: Commit) -> tuple[Ref | FileInput, ...]:
    """The inputs of a commit; what it appends to is one of them."""
    ref = commit.ref
    before = (ref.name.at(ref.version - 1),) if commit.verb == "append" and ref.version > 1 else ()
    return before + tuple(one for one in commit.inputs if one not in before)
