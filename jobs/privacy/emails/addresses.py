"""What every profile needs: white space, the ``@``, Gmail's rule, and why a text is no address.

Each rule is there twice, for a column and for one text. What is not ASCII goes through the text's rule also in a frame
(:mod:`jobs.privacy.emails.beyond_ascii`), because engines differ in what they know of Unicode.
"""

import re
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column

ASCII_SPACE: Final = " \t\n\v\f\r"
OTHER_SPACE: Final = "\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
WHITE_SPACE: Final = f"\\x09-\\x0d\\x20{OTHER_SPACE}"
"""Inside a class of a regular expression: what Unicode calls white space, and the same in every dialect."""
NOT_IN_LOCAL: Final = f'@{WHITE_SPACE},;<>()\\[\\]"\\\\'
NOT_IN_DOMAIN: Final = f"{NOT_IN_LOCAL}_"

GMAIL: Final = "gmail.com"
GMAIL_DOMAINS: Final = (GMAIL, "googlemail.com")
ONE_AT: Final = "^[^@]+@[^@]+$"

EMPTY: Final = "empty"
NO_AT: Final = "no @"
MORE_AT: Final = "more than one @"
NO_LOCAL: Final = "nothing before the @"
NO_DOMAIN: Final = "nothing after the @"
SPACE_INSIDE: Final = "white space inside"
NOTHING_LEFT: Final = "nothing left before the @ under Gmail's rule"
NOT_UNICODE: Final = "not valid Unicode"

_AROUND: Final = f"^[{WHITE_SPACE}]+|[{WHITE_SPACE}]+$"
_SPACE: Final = re.compile(f"[{WHITE_SPACE}]")
_ALL_SPACE: Final = "".join(character for character in map(chr, range(0x3001)) if _SPACE.match(character))


class InvalidAddressError(ValueError):
    """A text is no address; the message is the reason and never holds the text."""


def trim_space(text: "Column") -> "Column":
    """The text without white space around it, whatever Unicode calls so."""
    return F.regexp_replace(text, _AROUND, "")


def trim_ascii_space(text: "Column") -> "Column":
    """The same as :func:`trim_space` for text that is ASCII, and faster."""
    return F.btrim(text, F.lit(ASCII_SPACE))


def strip_space(text: str) -> str:
    """The text without white space around it, whatever Unicode calls so."""
    return text.strip(_ALL_SPACE)


def holds_space(text: str) -> bool:
    """True where there is white space anywhere."""
    return _SPACE.search(text) is not None


def split_address(address: str) -> tuple[str, str]:
    """The parts before and after the ``@``.

    Raises:
        InvalidAddressError: there is not exactly one ``@``, or a part is empty.
    """
    local, at, domain = address.partition("@")
    if not at:
        raise InvalidAddressError(NO_AT if address else EMPTY)
    if "@" in domain:
        raise InvalidAddressError(MORE_AT)
    if not local or not domain:
        raise InvalidAddressError(NO_DOMAIN if local else NO_LOCAL)
    return local, domain


def is_at(address: "Column", *domains: str) -> "Column":
    """True where the address is at one of the domains."""
    first, *others = (F.endswith(address, F.lit(f"@{domain}")) for domain in domains)
    for other in others:
        first = first | other
    return first


def find_mailbox(address: "Column", *, keep_suffix: bool = False) -> "Column":
    """The part before the ``@`` under Gmail's rule: without dots and, unless kept, without everything from ``+``."""
    local = F.substring_index(address, "@", 1)
    return F.replace(local if keep_suffix else F.substring_index(local, "+", 1), F.lit("."))


def find_mailbox_text(local: str, *, keep_suffix: bool = False) -> str:
    """The same as :func:`find_mailbox` for the part before the ``@`` of one address.

    Raises:
        InvalidAddressError: nothing is left.
    """
    mailbox = (local if keep_suffix else local.partition("+")[0]).replace(".", "")
    if not mailbox:
        raise InvalidAddressError(NOTHING_LEFT)
    return mailbox
