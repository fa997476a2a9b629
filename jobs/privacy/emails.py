"""E-mail addresses brought to one form, so that one person's address gives one pseudonym.

The ``sophilux`` profile, version 1: white space around the address is dropped, letters are lowercased, and for
``gmail.com`` and ``googlemail.com`` dots and everything from ``+`` are dropped from the local part and the domain
becomes ``gmail.com``. An address must have exactly one ``@``, a local part of 1 to 64 and a domain with a dot, no
white space inside, and at most 254 characters (RFC 5321, section 4.5.3.1).
"""

from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from pyspark.sql import Column

PROFILE: Final = "sophilux/1"
WHITE_SPACE: Final = "\\s\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""Inside a class of a regular expression: what Unicode calls white space; alone, ``\\s`` is less in Java's dialect."""
NOT_IN_LOCAL: Final = f'@{WHITE_SPACE},;<>()\\[\\]"\\\\'
NOT_IN_DOMAIN: Final = f"{NOT_IN_LOCAL}_"
PATTERN: Final = f"^[^{NOT_IN_LOCAL}]{{1,64}}@[^{NOT_IN_DOMAIN}.-][^{NOT_IN_DOMAIN}]*\\.[^{NOT_IN_DOMAIN}.]{{2,63}}$"
GMAIL_DOMAINS: Final = ("gmail.com", "googlemail.com")
LONGEST: Final = 254


def trim_space(text: "Column") -> "Column":
    """The text without white space around it."""
    return F.regexp_replace(text, f"^[{WHITE_SPACE}]+|[{WHITE_SPACE}]+$", "")


def normalise_email(address: "Column") -> "Column":
    """The address under the sophilux profile; null where it cannot be one."""
    trimmed = F.lower(trim_space(address))
    local = F.substring_index(trimmed, "@", 1)
    domain = F.substring_index(trimmed, "@", -1)
    gmail_local = F.regexp_replace(F.substring_index(local, "+", 1), r"\.", "")
    is_gmail = domain.isin(*GMAIL_DOMAINS)
    is_address = trimmed.rlike(PATTERN) & (F.length(trimmed) <= LONGEST) & ~trimmed.rlike(r"\.\.|^\.|\.@")
    is_empty_gmail = is_gmail & (gmail_local == "")
    gmail = F.concat(gmail_local, F.lit("@gmail.com"))
    return F.when(is_address & ~is_empty_gmail, F.when(is_gmail, gmail).otherwise(trimmed))
