"""Our own profile, version 2: one form for every spelling of an address, because ``subject_id`` is made of it.

White space around the address is dropped; the address is composed (Unicode NFC) and lowercased; a domain that is not
ASCII becomes the ASCII form that the domain name system knows (IDNA 2008 with the mapping of UTS 46, non-transitional,
so ``ß`` stays a letter of its own): ``jane@MÜLLER.example`` and ``jane@xn--mller-kva.example`` are one. For
``gmail.com`` and ``googlemail.com`` dots and everything from ``+`` are dropped from the local part, and the domain
becomes ``gmail.com``.

An address must have one ``@``, a local part of 1 to 64 characters, a domain with a dot, no white space inside, and at
most 254 characters (RFC 5321, section 4.5.3.1). A local part that is not ASCII must not hold characters that are
invisible, private, or not assigned in the Unicode that Python knows: a later Unicode could compose them differently.

Version 1 left domains as they were written and did not compose; addresses of ASCII characters are the same in both.
"""

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.privacy.emails.addresses import (
    GMAIL,
    GMAIL_DOMAINS,
    NOT_IN_DOMAIN,
    NOT_IN_LOCAL,
    SPACE_INSIDE,
    InvalidAddressError,
    find_mailbox,
    find_mailbox_text,
    holds_space,
    is_at,
    split_address,
    strip_space,
    trim_ascii_space,
)
from jobs.privacy.emails.beyond_ascii import choose_path
from jobs.privacy.emails.profile import Profile

if TYPE_CHECKING:
    from pyspark.sql import Column

LONGEST: Final = 254
LONGEST_LOCAL: Final = 64
LONGEST_LABEL: Final = 63
SHORT: Final = 64
"""Up to so many characters no part can be too long."""
LONGEST_TO_COMPOSE: Final = 4 * LONGEST
"""Composing takes time that grows with the square of the text's length, and shortens it to a third at most."""

_LOCAL: Final = f"[^.{NOT_IN_LOCAL}]"
_DOMAIN: Final = f"[^.{NOT_IN_DOMAIN}]"
_LOCAL_PART: Final = f"{_LOCAL}+(?:\\.{_LOCAL}+)*"
_DOMAIN_PART: Final = f"[^.{NOT_IN_DOMAIN}-]{_DOMAIN}*(?:\\.{_DOMAIN}+)*\\.{_DOMAIN}{_DOMAIN}+"
SHAPE: Final = f"^{_LOCAL_PART}@{_DOMAIN_PART}$"
"""An address of any length; counting in a regular expression costs three times as much."""

_ADDRESS: Final = re.compile(SHAPE)
_IS_LOCAL: Final = re.compile(_LOCAL_PART)
_IS_DOMAIN: Final = re.compile(_DOMAIN_PART)

TOO_LONG: Final = f"longer than {LONGEST} characters"
LONG_LOCAL: Final = f"more than {LONGEST_LOCAL} characters before the @"
BAD_LOCAL: Final = "a character or a dot before the @ that cannot be there"
BAD_DOMAIN: Final = "the domain is none"
HIDDEN: Final = "an invisible or unknown character before the @"


def normalise_email(address: "Column") -> "Column":
    """The address under this profile; null where it cannot be one."""
    trimmed = F.lower(trim_ascii_space(address))
    length = F.length(trimmed)
    top_label = F.substring_index(trimmed, ".", -1)
    are_parts_short = (F.instr(trimmed, "@") <= LONGEST_LOCAL + 1) & (F.length(top_label) <= LONGEST_LABEL)
    is_address = (length <= LONGEST) & trimmed.rlike(SHAPE) & ((length <= SHORT) | are_parts_short)
    mailbox = find_mailbox(trimmed)
    gmail = F.when(mailbox != "", F.concat(mailbox, F.lit(f"@{GMAIL}")))
    normal = F.when(is_at(trimmed, *GMAIL_DOMAINS), gmail).otherwise(trimmed)
    return choose_path(address, is_address=is_address, normal=normal, rule=normalise_email_text)


def normalise_email_text(address: str) -> str:
    """The same as :func:`normalise_email` for one text.

    Raises:
        InvalidAddressError: the text cannot be normalised.
    """
    trimmed = strip_space(address)
    normal = trimmed.lower() if trimmed.isascii() else _fold(trimmed)
    if len(normal) > SHORT or not _ADDRESS.fullmatch(normal):
        _check_parts(normal)
    local, _, domain = normal.partition("@")
    return f"{find_mailbox_text(local)}@{GMAIL}" if domain in GMAIL_DOMAINS else normal


def _fold(address: str) -> str:
    """An address that is not ASCII, composed, lowercased and with its domain as the name system knows it."""
    if len(address) > LONGEST_TO_COMPOSE:
        raise InvalidAddressError(TOO_LONG)
    local, domain = split_address(unicodedata.normalize("NFC", address))
    local = unicodedata.normalize("NFC", local.lower())
    if not local.isascii() and any(unicodedata.category(character)[0] == "C" for character in local):
        raise InvalidAddressError(HIDDEN)
    return f"{local}@{domain.lower() if domain.isascii() else _encode_domain(domain)}"


def _encode_domain(domain: str) -> str:
    import idna

    if holds_space(domain):
        raise InvalidAddressError(SPACE_INSIDE)
    try:
        return idna.encode(domain, uts46=True, std3_rules=True, transitional=False).decode("ascii")
    except UnicodeError:
        raise InvalidAddressError(BAD_DOMAIN) from None


def _check_parts(address: str) -> None:
    """Refuse what is no address, with the reason.

    Raises:
        InvalidAddressError: it is none.
    """
    local, domain = split_address(address)
    if holds_space(address):
        raise InvalidAddressError(SPACE_INSIDE)
    if len(address) > LONGEST:
        raise InvalidAddressError(TOO_LONG)
    if len(local) > LONGEST_LOCAL:
        raise InvalidAddressError(LONG_LOCAL)
    if not _IS_LOCAL.fullmatch(local):
        raise InvalidAddressError(BAD_LOCAL)
    if not _IS_DOMAIN.fullmatch(domain) or len(domain.rpartition(".")[2]) > LONGEST_LABEL:
        raise InvalidAddressError(BAD_DOMAIN)


SOPHILUX: Final = Profile("sophilux", 2, normalise_email, normalise_email_text, encoding=None)
