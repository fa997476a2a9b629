"""A key that a partner shares with us, in a file of its own: 32 bytes as 64 hexadecimal digits or as Base64."""

import os
import stat
from pathlib import Path
from typing import Final

from jobs.errors import KeyRingError, UsageError
from jobs.privacy.identifiers import as_shared
from jobs.privacy.keyring import Key
from jobs.privacy.keyring.keys import read_secret

LONGEST_FILE: Final = 1024
PURPOSE: Final = "shared"


def read_key_file(path: Path) -> Key:
    """The key in a file, under the id that everybody who holds it derives.

    Args:
        path: a file that only its owner may read.

    Raises:
        UsageError: there is no such file, or it holds no key; the message never shows what it holds.
        KeyRingError: others may read the file.
    """
    return as_shared(Key(PURPOSE, "", read_secret(_read(path))))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if not mode & 0o077:
                return file.read(LONGEST_FILE).decode("ascii", "replace")
    except OSError as error:
        message = f"The key file {path} cannot be read: {error.strerror}."
        raise UsageError(message) from None
    message = f"The key file {path} may be read by others (mode {mode:04o}); run 'chmod 600' on it."
    raise KeyRingError(message)
