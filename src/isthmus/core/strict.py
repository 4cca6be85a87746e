"""Strict reading of what users write: unknown words are refused with the nearest known one, sizes need a unit."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from isthmus.core.errors import InvalidInput, NotFound

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_POWER = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def nearest(word: str, known: Iterable[str]) -> str:
    """A clause that helps: `; did you mean 'x'?`, or the list of known words."""
    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(choices) or 'none'}"


def refuse_unknown(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raise InvalidInput for the first key of `table` that is not in `known`."""
    choices = set(known)
    for key in table:
        if key not in choices:
            raise InvalidInput(f"{where}: unknown key {key!r}; {nearest(key, choices)}")


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; NotFound or InvalidInput with its place in the file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path}: not valid TOML: {error}") from error


def typed(table: Mapping[str, Any], key: str, kinds: type | tuple[type, ...], where: str, default: Any = None) -> Any:
    """`table[key]` checked to be of `kinds`; a bool is no number."""
    value = table.get(key, default)
    allowed = kinds if isinstance(kinds, tuple) else (kinds,)
    if value is None and key not in table:
        return default
    if not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed):
        names = " or ".join(kind.__name__ for kind in allowed)
        raise InvalidInput(f"{where}: {key} must be {names}, found {value!r}")
    return value


def parse_size(text: str, what: str) -> int:
    """Bytes of `4G`, `512 MiB` or `1000000`; units are powers of 1024."""
    match = _SIZE.fullmatch(text.strip())
    if not match or float(match[1]) == 0:
        raise InvalidInput(f"{what} {text!r} is not a size: write a number with a unit, as in 4G or 512M")
    return int(float(match[1]) * 1024 ** _POWER[match[2].lower()])


def parse_count(text: str, what: str) -> int:
    """A whole number of at least 1."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise InvalidInput(f"{what} {text!r} is not a whole number of at least 1")
    return int(text)
