"""Files encrypted for a partner with age (https://age-encryption.org/v1), so that only its identity opens them."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from jobs.errors import UsageError

SUFFIX: Final = ".age"


def encrypt_file(path: Path, recipients: Collection[str]) -> Path:
    """Replace a file by its encryption, ``<name>.age``, in one pass; returns the new path."""
    from pyrage import encrypt_file, x25519

    target = path.with_name(path.name + SUFFIX)
    encrypt_file(str(path), str(target), [x25519.Recipient.from_str(recipient) for recipient in recipients])
    path.unlink()
    return target


def decrypt_file(path: Path, target: Path, identity: Any) -> None:  # noqa: ANN401
    """Write a file's plain content to ``target``.

    Raises:
        ValueError: the file was changed, or is not encrypted to this identity.
    """
    from pyrage import DecryptError, decrypt_file

    try:
        decrypt_file(str(path), str(target), [identity])
    except (DecryptError, OSError) as error:
        raise ValueError(str(error)) from None


def read_identity(path: Path) -> Any:  # noqa: ANN401
    """The identity of a file as ``age-keygen`` writes it: comments, and one line ``AGE-SECRET-KEY-1…``.

    Raises:
        UsageError: there is no such file, or no identity in it.
    """
    from pyrage import IdentityError, x25519

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        (line,) = (line.strip() for line in lines if line.strip() and not line.startswith("#"))
        return x25519.Identity.from_str(line)
    except OSError as error:
        message = f"The identity {path} cannot be read ({error.strerror})."
    except (ValueError, IdentityError):
        message = f"{path} is no age identity: one line AGE-SECRET-KEY-1…, as age-keygen writes it."
    raise UsageError(message)
