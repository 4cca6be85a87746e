"""What can be typed is in docs/commands.md."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from isthmus.cli.parser import build_parser

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text()


def verbs() -> dict[str, argparse.ArgumentParser]:
    actions = [one for one in build_parser()._actions if isinstance(one, argparse._SubParsersAction)]
    return dict(actions[0].choices)


@pytest.mark.parametrize("verb", verbs())
def test_verb_and_its_options_are_on_the_page(verb: str) -> None:
    """Each verb as `isthmus VERB`, each option that help shows by its long name."""
    options = [
        one
        for action in verbs()[verb]._actions
        if action.help != argparse.SUPPRESS
        for one in action.option_strings
        if one.startswith("--") and one != "--help"
    ]

    assert f"isthmus {verb}" in PAGE
    assert [one for one in options if one not in PAGE] == []


@pytest.mark.parametrize("verb", verbs())
def test_help_of_each_verb_prints(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A stray percent sign in a help text would crash argparse."""
    with pytest.raises(SystemExit) as stopped:
        build_parser().parse_args([verb, "--help"])

    assert stopped.value.code == 0
    assert verb in capsys.readouterr().out
