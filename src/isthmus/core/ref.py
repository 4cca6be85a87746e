"""Names and versions of products: `gut.reads` and `gut.reads@12`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from isthmus.core.errors import InvalidInput

_WORD = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
DEFAULT_DOMAIN = "default"


@dataclass(frozen=True, order=True)
class Name:
    """A product's name, without a version: `gut.reads`. Lower case letters, digits, `-` and `_`."""

    domain: str
    product: str

    def __post_init__(self) -> None:
        for what, word in (("domain", self.domain), ("product", self.product)):
            if not _WORD.fullmatch(word):
                raise InvalidInput(
                    f"{what} {word!r} is not a name: use 1 to 64 lower case letters, digits, '-' or '_', "
                    "beginning and ending with a letter or digit, as in gut.reads"
                )

    def __str__(self) -> str:
        return f"{self.domain}.{self.product}"

    @staticmethod
    def parse(text: str) -> Name:
        """Read `domain.product`, or `product` alone in the domain `default`."""
        domain, dot, product = text.rpartition(".")
        return Name(domain if dot else DEFAULT_DOMAIN, product)

    def at(self, version: int) -> Ref:
        """The Ref of one version of this product."""
        return Ref(self.domain, self.product, version)


@dataclass(frozen=True, order=True)
class Ref:
    """One version of one product, `gut.reads@12`: the only thing that rooms pass to each other."""

    domain: str
    product: str
    version: int

    def __post_init__(self) -> None:
        Name(self.domain, self.product)
        if self.version < 1:
            raise InvalidInput(f"version {self.version} of {self.name} does not exist: versions count from 1")

    def __str__(self) -> str:
        return f"{self.domain}.{self.product}@{self.version}"

    @property
    def name(self) -> Name:
        return Name(self.domain, self.product)

    @staticmethod
    def parse(text: str) -> Ref:
        """Read `domain.product@version`; a selector that is no number is the lake's to resolve."""
        name, at, version = text.rpartition("@")
        if not at or not version.isascii() or not version.isdigit():
            raise InvalidInput(f"{text!r} is not a Ref: write domain.product@version, as in gut.reads@12")
        return Name.parse(name).at(int(version))
