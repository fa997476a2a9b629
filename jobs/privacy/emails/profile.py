"""A profile: how one platform wants an address written before it is hashed, and how it wants the hash written."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes
from pyspark.sql import functions as F

from jobs.errors import UsageError
from jobs.privacy.emails.addresses import NOT_UNICODE, InvalidAddressError

if TYPE_CHECKING:
    from pyspark.sql import Column

AT: Final = "@"


class Encoding(StrEnum):
    """How 32 bytes of a digest are written."""

    HEX = "hex"
    BASE64 = "base64"


@dataclass(frozen=True)
class Profile:
    """One platform's rules; a new version where the result for some address changes.

    Args:
        name: as partners and the command line call it.
        version: of the rules.
        column_rule: the normalised address; null where a value cannot be normalised.
        text_rule: the same for one text; raises :class:`InvalidAddressError`.
        encoding: how the platform wants the unkeyed SHA-256 written; none where nobody gets one.
        takes_digests: also text that is a digest already, and so has no ``@``, is taken, and is its own digest.
    """

    name: str
    version: int
    column_rule: "Callable[[Column], Column]"
    text_rule: Callable[[str], str]
    encoding: Encoding | None
    takes_digests: bool = False

    @property
    def label(self) -> str:
        """Name and version, such as ``uid2/1``."""
        return f"{self.name}/{self.version}"

    def normalise(self, address: "Column") -> "Column":
        """The normalised address; null where the value cannot be normalised."""
        return self.column_rule(address)

    def normalise_text(self, address: str) -> str:
        """The normalised address; equals what :meth:`normalise` gives for a row with this value.

        Raises:
            InvalidAddressError: the text cannot be normalised.
        """
        if not address.isascii():
            _check_encodable(address)
        return self.text_rule(address)

    def digest(self, normalised: "Column") -> "Column":
        """The platform's unkeyed hash of normalised addresses. Anybody with a list of addresses can undo it.

        Raises:
            UsageError: the profile has none.
        """
        encoding = self._check_digest()
        digits = F.sha2(F.encode(normalised, "UTF-8"), 256)
        written = digits if encoding is Encoding.HEX else F.base64(F.unhex(digits))
        if not self.takes_digests:
            return written
        return F.when(F.contains(normalised, F.lit(AT)), written).otherwise(normalised)

    def digest_text(self, normalised: str) -> str:
        """The same as :meth:`digest` for one normalised address.

        Raises:
            UsageError: the profile has none.
        """
        encoding = self._check_digest()
        if self.takes_digests and AT not in normalised:
            return normalised
        sha256 = hashes.Hash(hashes.SHA256())
        sha256.update(normalised.encode())
        digest = sha256.finalize()
        return digest.hex() if encoding is Encoding.HEX else base64.b64encode(digest).decode()

    def _check_digest(self) -> Encoding:
        if self.encoding is None:
            message = f"The profile {self.name} has no digest without a key; anybody could undo it. Give a key."
            raise UsageError(message)
        return self.encoding


def _check_encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidAddressError(NOT_UNICODE) from None
