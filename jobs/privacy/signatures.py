"""Signatures of what leaves the house: Ed25519 (RFC 8032) under the ring's ``signing`` key, which is its seed.

A partner needs the public key only, which says nothing about the seed.
"""

import base64
import binascii
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from jobs.errors import UsageError
from jobs.privacy.keyring import SIGNING, KeyRing

ALGORITHM: Final = "Ed25519"
SIGNATURE_BYTES: Final = 64


@dataclass(frozen=True)
class Signer:
    """The signing key, ready to sign; printing it shows its id only."""

    key_id: str
    _private: Ed25519PrivateKey = field(repr=False)

    @property
    def public_key(self) -> Ed25519PublicKey:
        """What verifies this signer's signatures."""
        return self._private.public_key()

    def sign(self, message: bytes) -> str:
        """The signature in Base64; the same message gives the same signature."""
        return base64.b64encode(self._private.sign(message)).decode()


def open_signer(ring: KeyRing) -> Signer:
    """The ring's signer; its key is made when there is none yet.

    Raises:
        KeyRingError: the ring cannot be read or changed, or the key was destroyed.
    """
    key = ring.key(SIGNING)
    return Signer(key.key_id, Ed25519PrivateKey.from_private_bytes(key.secret))


def encode_public_key(key: Ed25519PublicKey) -> str:
    """The raw public key in Base64, as manifests show it."""
    return base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def write_public_key(key: Ed25519PublicKey) -> str:
    """The public key in PEM, to hand to partners."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_public_key(path: Path) -> Ed25519PublicKey:
    """The public key of a PEM file.

    Raises:
        UsageError: there is no such file, or it is not exactly what :func:`write_public_key` wrote.
    """
    try:
        text = path.read_text(encoding="ascii")
        key = load_pem_public_key(text.encode())
    except OSError as error:
        message = f"The public key {path} cannot be read ({error.strerror})."
        raise UsageError(message) from None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey) or write_public_key(key).split() != text.split():
        message = f"{path} is no Ed25519 public key in PEM, or was damaged; ask for it again."
        raise UsageError(message)
    return key


def is_signed(message: bytes, signature: str, key: Ed25519PublicKey) -> bool:
    """True when the key's owner signed exactly this message, and the signature is spelled in the one way there is."""
    try:
        raw = base64.b64decode(signature, validate=True)
        key.verify(raw, message)
    except (binascii.Error, ValueError, InvalidSignature):
        return False
    return base64.b64encode(raw).decode() == signature
