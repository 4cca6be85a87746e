"""Lineage: trees worked out by hand, through replace and append, shared inputs and gone records."""

from __future__ import annotations

import pytest

from isthmus.backbone.lineage import Node, downstream, in_order, upstream
from isthmus.core.commit import Commit
from isthmus.core.errors import NotFound
from isthmus.core.plan import FileInput, Input
from isthmus.core.ref import Ref


def file(name: str) -> FileInput:
    return FileInput(name, f"/reads/{name}", 1, f"{name:0>32}", "s")


def commit(ref: str, *inputs: Input | str, verb: str = "replace") -> Commit:
    made = tuple(Ref.parse(one) if isinstance(one, str) else one for one in inputs)
    return Commit(Ref.parse(ref), verb, "0" * 32, "r/1", made, "0.1.0", "a@b", "2026-11-24T00:00:00.000+00:00", 1)


A, B = file("a.fq"), file("b.fq")
LAKE = [
    commit("gut.reads@1", A),
    commit("gut.reads@2", B, verb="append"),
    commit("gut.bins@1", "gut.reads@1"),
    commit("gut.bins@2", "gut.reads@2"),
    commit("gut.reads@3", B),
    commit("gut.both@1", "gut.bins@2", "gut.reads@2", "gut.gone@7"),
]


def commit_of(ref: Ref) -> Commit:
    for one in LAKE:
        if one.ref == ref:
            return one
    raise NotFound(str(ref))


def words(node: Node) -> object:
    """A tree as nested lists of names, `*` for a repeated one and `?` for a gone one."""
    name = node.what.source if isinstance(node.what, FileInput) else str(node.what)
    gone = "?" if node.commit is None and isinstance(node.what, Ref) else ""
    name += gone + ("*" if node.repeats else "")
    return [name, *(words(one) for one in node.inputs)] if node.inputs else name


def test_upstream_reaches_raw_files_through_append_and_replace() -> None:
    """A replaced version does not count what came before it; an appended one does."""
    assert words(upstream(Ref.parse("gut.bins@1"), commit_of)) == ["gut.bins@1", ["gut.reads@1", "a.fq"]]
    assert words(upstream(Ref.parse("gut.reads@3"), commit_of)) == ["gut.reads@3", "b.fq"]
    assert words(upstream(Ref.parse("gut.reads@2"), commit_of)) == ["gut.reads@2", ["gut.reads@1", "a.fq"], "b.fq"]


def test_shared_inputs_are_opened_once_and_gone_ones_are_leaves() -> None:
    """An input met twice is repeated without its inputs; one whose record is gone stays as a leaf."""
    assert words(upstream(Ref.parse("gut.both@1"), commit_of)) == [
        "gut.both@1",
        ["gut.bins@2", ["gut.reads@2", ["gut.reads@1", "a.fq"], "b.fq"]],
        "gut.reads@2*",
        "gut.gone@7?",
    ]


def test_order_lists_each_once_after_what_it_was_made_of() -> None:
    """in_order gives raw files and versions once, inputs first."""
    nodes = in_order(upstream(Ref.parse("gut.both@1"), commit_of))

    names = [one.what.source if isinstance(one.what, FileInput) else str(one.what) for one in nodes]
    assert names == ["a.fq", "gut.reads@1", "b.fq", "gut.reads@2", "gut.bins@2", "gut.gone@7", "gut.both@1"]


def test_unknown_ref_is_not_found() -> None:
    """The Ref asked for must exist."""
    with pytest.raises(NotFound):
        upstream(Ref.parse("gut.gone@7"), commit_of)


def test_downstream_follows_products_and_appends() -> None:
    """What was made of a version includes what was made of its products and of versions appended to it."""
    assert [str(one.ref) for one in downstream(Ref.parse("gut.reads@1"), LAKE)] == [
        "gut.reads@2",
        "gut.bins@1",
        "gut.bins@2",
        "gut.both@1",
    ]
    assert [str(one.ref) for one in downstream(Ref.parse("gut.reads@3"), LAKE)] == []
    assert [str(one.ref) for one in downstream(Ref.parse("gut.bins@2"), reversed(LAKE))] == ["gut.both@1"]


def test_ten_thousand_appends_are_walked() -> None:
    """A long chain of appends needs no deep recursion."""
    n = 10_000
    chain = {f"g.r@{v}": commit(f"g.r@{v}", A, verb="append") for v in range(1, n + 1)}

    nodes = in_order(upstream(Ref.parse(f"g.r@{n}"), lambda ref: chain[str(ref)]))

    assert len(nodes) == n + 1
    assert str(nodes[-1].what) == f"g.r@{n}"
