"""The other side of a PAIR exchange, written against the specification and libsodium, not against our code."""

import base64
import random
import secrets

import rbcl
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, Hash


def digest(algorithm, content):
    state = Hash(algorithm)
    state.update(content)
    return state.finalize()


class Party:
    """A clean room with a key of its own; files of identifiers are Base64, one a line."""

    def __init__(self, shared: bytes = b"") -> None:
        self.shared = shared
        self.key = rbcl.crypto_core_ristretto255_scalar_random()

    def make_point(self, address: str) -> bytes:
        """The point of an address, under no layer."""
        lowered = "".join(c.lower() if c.isascii() else c for c in address)
        digits = digest(SHA256(), lowered.encode()).hex()
        salted = digest(SHA256(), self.shared + digits.encode())
        return rbcl.crypto_core_ristretto255_from_hash(digest(SHA512(), salted))

    def encrypt(self, addresses) -> list[str]:
        points = [rbcl.crypto_scalarmult_ristretto255(self.key, self.make_point(address)) for address in addresses]
        return self.shuffle(points)

    def reencrypt(self, identifiers) -> list[str]:
        points = [rbcl.crypto_scalarmult_ristretto255(self.key, base64.b64decode(line)) for line in identifiers]
        return self.shuffle(points)

    def find_identifier(self, address: str) -> str:
        return self.encrypt([address])[0]

    @staticmethod
    def shuffle(points) -> list[str]:
        random.SystemRandom().shuffle(points)
        return [base64.b64encode(point).decode() for point in points]


def make_secret() -> bytes:
    return secrets.token_bytes(32)


def write_lines(path, lines) -> str:
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def read_lines(path) -> list[str]:
    return path.read_text().splitlines()
