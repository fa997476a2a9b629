"""E-mail addresses cut out of text, around each ``@``."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from jobs.audit.byte_classes import IS_WORD, view_bytes

LONGEST_LOCAL: Final = 64
LONGEST_DOMAIN: Final = 255
NO_CHANCE: Final = re.compile(r"(?=.{16})[a-z0-9._+-]+@[a-z0-9.-]+", re.DOTALL)
"""Among arbitrary bytes shorter addresses, and such with rarer characters, stand by chance: one in a gigabyte."""
LOCAL_BACKWARDS: Final = re.compile(r"\"[^\"\n\0]{1,62}\"|[^\s\0\"<>()\[\]{},;:=&?/\\@|#%`\ufffd]{1,64}")
DOMAIN: Final = re.compile(r"[^\W_](?:[\w-]|\.(?!\.))*\.(?:xn--[a-z0-9-]{1,59}|[^\W\d_]{2,63})(?![^\W\d_])")
FILE_SUFFIXES: Final = frozenset({
    "age", "bz2", "css", "csv", "gif", "gz", "htm", "html", "ico", "jpeg", "jpg", "js", "json", "jsonl", "map",
    "min", "mjs", "parquet", "png", "svg", "tsv", "ttf", "txt", "webp", "woff", "xml", "xz", "yaml", "yml", "zst",
})  # fmt: skip
"""Ends of file names, no top-level domains: ``chart@5.min.js`` is a file, ``a@b.example.csv`` an address with one."""
BEGINNINGS: Final = re.compile(r"[a-z0-9]+|[^\W_a-z0-9]+")
PLAIN_DOMAIN: Final = re.compile(r"[a-z0-9.-]+\.[a-z]{2,63}")


@dataclass(frozen=True)
class Address:
    """What has the form of an e-mail address, folded."""

    local: str
    domain: str

    @property
    def is_no_chance(self) -> bool:
        """True for what does not stand among arbitrary bytes by chance."""
        return NO_CHANCE.fullmatch(f"{self.local}@{self.domain}") is not None

    def list_readings(self) -> Iterator[str]:
        """The address, and what it may be when text is written right before or behind it."""
        starts = [0, *(match.start() for match in BEGINNINGS.finditer(self.local) if match.start())]
        labels = self.domain.split(".")
        domains = [".".join(labels[:count]) for count in range(len(labels), 1, -1)]
        domains += [match[0] for match in [PLAIN_DOMAIN.match(self.domain)] if match]
        return (f"{self.local[start:]}@{domain}" for domain in domains for start in starts)


def find_addresses(folded: bytes) -> Iterator[Address]:
    """The e-mail addresses of a folded block."""
    for place in _find_signs(folded):
        before = folded[max(0, place - 2 * LONGEST_LOCAL) : place].decode("utf-8", "replace")
        local = LOCAL_BACKWARDS.match(before[::-1])
        if local is None:
            continue
        behind = folded[place + 1 : place + 1 + LONGEST_DOMAIN].decode("utf-8", "replace")
        domain = _read_domain(behind)
        name = local[0][::-1].lstrip("'.-*")
        if domain and name:
            yield Address(name, domain)


def _find_signs(folded: bytes) -> list[int]:
    """Places of the ``@`` that a domain may follow."""
    if b"@" not in folded:
        return []
    block = view_bytes(folded)
    signs = np.flatnonzero(block[:-1] == ord("@"))
    is_named = IS_WORD[block[signs + 1]] | (block[signs + 1] > 0x7F)
    chosen: list[int] = signs[is_named].tolist()
    return chosen


def _read_domain(behind: str) -> str | None:
    match = DOMAIN.match(behind)
    labels = match[0].split(".") if match else []
    while labels and labels[-1] in FILE_SUFFIXES:
        labels.pop()
    is_domain = len(labels) > 1 and not labels[-1].isdigit()
    return ".".join(labels) if is_domain else None
