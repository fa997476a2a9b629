"""What a provider of key rings must be able to do, and what those have in common that keep secrets as Base64."""

import base64
import binascii
from contextlib import AbstractContextManager
from typing import Final, Protocol

from jobs.errors import KeyRingError
from jobs.privacy.keyring.keys import KeyEntry

KMS_PREFIX: Final = "aws-kms:"


class Provider(Protocol):
    """Where a ring lies, and in which form its secrets lie there."""

    @property
    def place(self) -> str:
        """What the ring is called in errors."""

    @property
    def remedy(self) -> str:
        """What to do where the ring lacks a key it should have, as the end of a sentence."""

    @property
    def is_writable(self) -> bool:
        """False where keys are made and destroyed by other means."""

    def read(self) -> str | None:
        """The ring as JSON; nothing where there is none yet.

        Raises:
            KeyRingError: it cannot be read, or others can read it.
        """

    def locked(self) -> AbstractContextManager[None]:
        """Keeps every other writer away.

        Raises:
            KeyRingError: this ring cannot be changed from here.
        """

    def write(self, text: str) -> None:
        """Replace the ring as a whole; only while it is locked."""

    def seal(self, entry: KeyEntry, secret: bytes) -> str:
        """The secret in the form in which it is written down."""

    def unseal(self, entry: KeyEntry, sealed: str) -> bytes:
        """The secret of what :meth:`seal` made.

        Raises:
            KeyRingError: it is none, or may not be opened.
        """


class PlainSecrets:
    """Secrets as Base64; whoever reads the ring has the keys."""

    place: str

    def seal(self, entry: KeyEntry, secret: bytes) -> str:  # noqa: ARG002
        """The secret as Base64."""
        return base64.b64encode(secret).decode()

    def unseal(self, entry: KeyEntry, sealed: str) -> bytes:
        """The secret from Base64."""
        if sealed.startswith(KMS_PREFIX):
            message = (
                f"The key for {entry.purpose} in {self.place} is sealed by AWS KMS; "
                "set SOPHILUX_KEYRING_PROVIDER to kms, and SOPHILUX_KEYRING_KMS_KEY."
            )
            raise KeyRingError(message)
        return decode_base64(sealed)


def decode_base64(text: str) -> bytes:
    """The bytes of a Base64 text; none where it is no Base64, so that no error has to quote it."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
