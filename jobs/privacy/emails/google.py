"""Google's two profiles, version 1.

White space around is dropped, letters are lowercased, and Gmail's rule holds for ``gmail.com`` and ``googlemail.com``,
which stay apart. ``google`` (Google Ads) drops dots and everything from ``+``. ``google-data-manager`` (Data Manager
API) drops dots but keeps the suffix, as the first release of Google's library did, and refuses white space inside.

References:
    developers.google.com/google-ads/api/docs/conversions/upload-online; googleads/data-manager-python,
    ``datamanager_util/format.py``, first release.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.privacy.emails.addresses import (
    GMAIL_DOMAINS,
    ONE_AT,
    SPACE_INSIDE,
    WHITE_SPACE,
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
from jobs.privacy.emails.profile import Encoding, Profile

if TYPE_CHECKING:
    from pyspark.sql import Column

WITHOUT_SPACE: Final = f"^[^@{WHITE_SPACE}]+@[^@{WHITE_SPACE}]+$"


def normalise_ads(address: "Column") -> "Column":
    """The address under ``google``; null where it cannot be one."""
    return _normalise(address, ONE_AT, normalise_ads_text, keep_suffix=False)


def normalise_ads_text(address: str) -> str:
    """The same as :func:`normalise_ads` for one text.

    Raises:
        InvalidAddressError: the text cannot be normalised.
    """
    return _apply_gmail(strip_space(address).lower(), keep_suffix=False)


def normalise_data_manager(address: "Column") -> "Column":
    """The address under ``google-data-manager``; null where it cannot be one."""
    return _normalise(address, WITHOUT_SPACE, normalise_data_manager_text, keep_suffix=True)


def normalise_data_manager_text(address: str) -> str:
    """The same as :func:`normalise_data_manager` for one text.

    Raises:
        InvalidAddressError: the text cannot be normalised.
    """
    trimmed = strip_space(address).lower()
    if holds_space(trimmed):
        raise InvalidAddressError(SPACE_INSIDE)
    return _apply_gmail(trimmed, keep_suffix=True)


def _normalise(address: "Column", shape: str, rule: Callable[[str], str], *, keep_suffix: bool) -> "Column":
    trimmed = F.lower(trim_ascii_space(address))
    mailbox = find_mailbox(trimmed, keep_suffix=keep_suffix)
    domain = F.substring_index(trimmed, "@", -1)
    gmail = F.when(mailbox != "", F.concat(mailbox, F.lit("@"), domain))
    normal = F.when(is_at(trimmed, *GMAIL_DOMAINS), gmail).otherwise(trimmed)
    return choose_path(address, is_address=trimmed.rlike(shape), normal=normal, rule=rule)


def _apply_gmail(address: str, *, keep_suffix: bool) -> str:
    local, domain = split_address(address)
    if domain not in GMAIL_DOMAINS:
        return address
    return f"{find_mailbox_text(local, keep_suffix=keep_suffix)}@{domain}"


GOOGLE: Final = Profile("google", 1, normalise_ads, normalise_ads_text, Encoding.HEX)
GOOGLE_DATA_MANAGER: Final = Profile(
    "google-data-manager", 1, normalise_data_manager, normalise_data_manager_text, Encoding.HEX
)
