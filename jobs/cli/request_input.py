"""What the commands for requests are given: options, files and standard input; no error repeats any of it."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobs.errors import UsageError

if TYPE_CHECKING:
    from jobs.privacy.keyring import Key
    from jobs.requests.wishes import Wish

STANDARD_INPUT: Final = "-"


def read_wish(kind: str | None, email: str, purpose: str | None, values: Sequence[str], key: "Key") -> "Wish":
    """A request from the options of a command."""
    from jobs.lake import columns as C
    from jobs.requests import wishes

    pairs = [value.partition("=") for value in values]
    if not all(equals for _, equals, _ in pairs):
        message = "--set takes FIELD=VALUE, such as phone='+49 30 1234567'."
        raise UsageError(message)
    address = sys.stdin.readline() if email == STANDARD_INPUT else email
    given: dict[str, Any] = {name: value or " " for name, _, value in pairs}
    given |= {C.KIND: kind, C.EMAIL: address, C.PURPOSE: purpose}
    return wishes.read_wish(given, key, datetime.now(UTC).date())


def read_file(
    kind: str | None, purpose: str | None, values: Sequence[str] | None, file: str, key: "Key"
) -> "list[Wish]":
    """The requests of a file, or of standard input."""
    from jobs.requests.wishes import read_wishes

    if purpose or values:
        message = "With --from-file, purposes and values stand in the file."
        raise UsageError(message)
    try:
        content = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        message = f"The file cannot be read ({reason}); nothing was recorded."
        raise UsageError(message) from None
    return read_wishes(text, key, datetime.now(UTC).date(), kind=kind)


def read_passphrase(file: str) -> str:
    """The first line of a file, or of standard input."""
    try:
        text = sys.stdin.readline() if file == STANDARD_INPUT else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    passphrase = text.split("\n", maxsplit=1)[0].strip()
    if not passphrase:
        message = "There is no passphrase in the first line of --passphrase-file."
        raise UsageError(message)
    return passphrase
