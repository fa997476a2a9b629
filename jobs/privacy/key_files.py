"""A key that a partner shares with us, in a file of its own: 32 bytes as 64 hexadecimal digits or as Base64."""

import base64
import binascii
import os
import re
import stat
from pathlib import Path
from typing import Final

from jobs.errors import KeyRingError, UsageError
from jobs.privacy.identifiers import as_shared
from jobs.privacy.keyring import Key

KEY_BYTES: Final = 32
LONGEST_FILE: Final = 1024
HEX: Final = re.compile(rb"[0-9A-Fa-f]{64}")
PURPOSE: Final = "shared"


def read_key_file(path: Path) -> Key:
    """The key in a file, under the id that everybody who holds it derives.

    Args:
        path: a file that only its owner may read.

    Raises:
        UsageError: there is no such file.
        KeyRingError: others may read the file, or it holds no key; the message never shows what it holds.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = b"" if mode & 0o077 else file.read(LONGEST_FILE)
    except OSError as error:
        message = f"The key file {path} cannot be read: {error.strerror}."
        raise UsageError(message) from None
    if mode & 0o077:
        message = f"The key file {path} may be read by others (mode {mode:04o}); run 'chmod 600' on it."
        raise KeyRingError(message)
    secret = _decode(content.strip())
    if len(secret) != KEY_BYTES:
        message = f"The key file {path} must hold {KEY_BYTES} bytes, as 64 hexadecimal digits or as Base64."
        raise KeyRingError(message)
    return as_shared(Key(PURPOSE, "", secret))


def _decode(content: bytes) -> bytes:
    """The bytes of a key; none where it is written otherwise."""
    if HEX.fullmatch(content):
        return bytes.fromhex(content.decode())
    try:
        return base64.b64decode(content.translate(bytes.maketrans(b"-_", b"+/")), validate=True)
    except binascii.Error:
        return b""
