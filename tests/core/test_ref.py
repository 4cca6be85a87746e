"""Names and Refs."""

from __future__ import annotations

import pytest

from isthmus.core.errors import InvalidInput
from isthmus.core.ref import Name, Ref


def test_a_ref_reads_back_what_it_prints() -> None:
    """Parsing and printing are inverse."""
    assert str(Ref.parse("gut.reads@12")) == "gut.reads@12"
    assert Ref.parse("reads@1") == Ref("default", "reads", 1)


def test_refs_sort_by_version_as_numbers() -> None:
    """Version 10 comes after version 9."""
    assert sorted([Ref.parse("a.b@10"), Ref.parse("a.b@9")])[0].version == 9


@pytest.mark.parametrize(
    "text", ["../x", "a.b.c", "A.b", "", ".", "a.", "-a.b", "a.b-", "a b", "a\n.b", "a" * 65, "_scratch.x", "é.b"]
)
def test_names_that_could_leave_the_lake_are_refused(text: str) -> None:
    """A name is a folder in the lake, so only plain words pass."""
    with pytest.raises(InvalidInput, match="is not a name"):
        Name.parse(text)


@pytest.mark.parametrize(
    "text", ["gut.reads", "gut.reads@", "gut.reads@-1", "gut.reads@0", "gut.reads@1.5", "gut.reads@٣"]
)
def test_a_ref_needs_a_version_from_one(text: str) -> None:
    """Versions are whole ASCII numbers from 1."""
    with pytest.raises(InvalidInput):
        Ref.parse(text)
