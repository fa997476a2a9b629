"""What a certificate keeps of the people it is about, so that anybody with the key can look for them again.

Everything that was looked for is a digest under a key of that certificate alone: HMAC-SHA-256, 128 bits kept. Whoever
checks makes the same digests of whatever stands in a file and may be one of them, and compares. So that this is not
done for every word, a few bits of a keyed fingerprint of each are kept as well: about one word in a thousand passes.
Nothing here can be turned back, nor compared between two certificates.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from numpy.typing import NDArray

from jobs.audit.byte_classes import IS_WORD, Positions, Words, contains, order_distinct, view_bytes
from jobs.audit.digests import Digests, hash_text
from jobs.audit.identifiers import Forms, Needles
from jobs.audit.needles import FIRST_LEAD_BYTE, FIRST_OF_SEVERAL, LONGEST_TOLD, SHORTEST_PHRASE, Kind
from jobs.lake.parquet.multisets import SpanHashes, mix

DIGEST_BYTES: Final = 16
SPARE_BITS: Final = 10
"""Of the fingerprint: one of so many powers of two of other words passes."""
EMAIL, PHONE, PHRASE, HASH = "email", "phone", "phrase", "hash"


@dataclass(frozen=True)
class Sealer:
    """Digests and fingerprints under a certificate's key; printing it shows nothing."""

    _ready: HMAC
    _seed: int

    @classmethod
    def under(cls, key: bytes) -> "Sealer":
        """The sealer of a key."""
        seed = HMAC(key, SHA256())
        seed.update(b"fingerprints")
        return cls(HMAC(key, SHA256()), int.from_bytes(seed.finalize()[:8], "big"))

    def digest(self, what: str, value: bytes) -> str:
        """The digest of a value of one sort: 32 hex digits."""
        digest = self._ready.copy()
        digest.update(what.encode() + b":" + value)
        return digest.finalize()[:DIGEST_BYTES].hex()

    def fingerprint(self, numbers: Words) -> Words:
        """A keyed number for each number."""
        return mix(numbers ^ np.uint64(self._seed))

    def __repr__(self) -> str:
        return "Sealer()"


def seal_forms(forms: Forms, key: bytes) -> dict[str, Any]:
    """What a certificate keeps of what was looked for; plain JSON."""
    sealer = Sealer.under(key)
    phrases = {(kind, _cut(phrase)) for kind, phrase in forms.phrases}
    heads = order_distinct([head for text in forms.hashed for head in hash_text(text)])
    bits = SPARE_BITS + len(phrases).bit_length(), SPARE_BITS + len(heads).bit_length()
    spans = _hash_phrases(sorted({phrase for _, phrase in phrases}))
    return {
        "emails": sorted(sealer.digest(EMAIL, email.encode()) for email in forms.emails),
        "phones": sorted(sealer.digest(PHONE, phone.encode()) for phone in forms.phones),
        "phrases": {
            kind.name.lower(): sorted({sealer.digest(PHRASE, phrase) for each, phrase in phrases if each is kind})
            for kind in sorted({kind for kind, _ in phrases})
        },
        "lengths": sorted({len(phrase) for _, phrase in phrases}),
        "phrase_fingerprints": _shorten(sealer.fingerprint(spans), bits[0]),
        "phrase_bits": bits[0],
        "hashes": sorted(sealer.digest(HASH, int(head).to_bytes(8, "big")) for head in heads),
        "hash_fingerprints": _shorten(sealer.fingerprint(heads), bits[1]),
        "hash_bits": bits[1],
    }


def open_needles(sealed: Mapping[str, Any], key: bytes, searched: Mapping[Kind, int]) -> Needles:
    """Needles that find what was sealed, wherever it stands.

    Args:
        sealed: of :func:`seal_forms`.
        key: the same.
        searched: how many values of each kind there are.
    """
    sealer = Sealer.under(key)
    return Needles(
        SealedPhrases(sealed, sealer),  # type: ignore[arg-type]
        SealedPhrases({**sealed, "phrases": {}, "lengths": []}, sealer),  # type: ignore[arg-type]
        SealedValues(EMAIL, sealed["emails"], sealer),  # type: ignore[arg-type]
        SealedValues(PHONE, sealed["phones"], sealer),  # type: ignore[arg-type]
        SealedDigests(sealed, sealer),
        searched,
        {},
    )


class SealedValues:
    """As :class:`jobs.audit.needles.Values`, of digests."""

    def __init__(self, what: str, digests: Iterable[str], sealer: Sealer) -> None:
        self._what, self._digests, self._sealer = what, frozenset(digests), sealer

    def __len__(self) -> int:
        return len(self._digests)

    def find(self, values: Sequence[str]) -> NDArray[np.bool_]:
        """For each value whether it is one of the set."""
        digests = (self._sealer.digest(self._what, value.encode("utf-8", "replace")) for value in values)
        return np.fromiter((digest in self._digests for digest in digests), np.bool_)


class SealedPhrases:
    """As :class:`jobs.audit.needles.Phrases`, of digests."""

    def __init__(self, sealed: Mapping[str, Any], sealer: Sealer) -> None:
        self._kinds = {digest: Kind[kind.upper()] for kind, each in sealed["phrases"].items() for digest in each}
        self._lengths: list[int] = sealed["lengths"]
        self._likely = _Likely(sealed["phrase_fingerprints"], sealed["phrase_bits"], sealer)
        self._sealer = sealer

    def __len__(self) -> int:
        return len(self._kinds)

    def count(self, words: bytes) -> Counter[Kind]:
        """How often each kind stands in a text in the form of :func:`jobs.audit.spellings.to_words`."""
        found: Counter[Kind] = Counter()
        if not self._kinds or len(words) < SHORTEST_PHRASE:
            return found
        padded = b" " + words + b" "
        letters = view_bytes(padded)
        hashes, starts = SpanHashes(letters), _find_starts(letters)
        for length in self._lengths:
            begins = _keep_whole(letters, starts, length)
            is_likely = self._likely.find(hashes.read(begins, begins + length))
            for begin in begins[is_likely].tolist():
                kind = self._kinds.get(self._sealer.digest(PHRASE, padded[begin : begin + length]))
                if kind is not None:
                    found[kind] += 1
        return found


class SealedDigests(Digests):
    """As :class:`jobs.audit.digests.Digests`, of digests."""

    def __init__(self, sealed: Mapping[str, Any], sealer: Sealer) -> None:
        super().__init__([])
        self._digests = frozenset(sealed["hashes"])
        self._likely = _Likely(sealed["hash_fingerprints"], sealed["hash_bits"], sealer)
        self._sealer = sealer

    def __len__(self) -> int:
        return len(self._digests)

    def _contains(self, heads: Words) -> NDArray[np.bool_]:
        found = self._likely.find(heads)
        for place in np.flatnonzero(found).tolist():
            found[place] = self._sealer.digest(HASH, int(heads[place]).to_bytes(8, "big")) in self._digests
        return found


class _Likely:
    """Tells by a fingerprint what may be one of the sealed values."""

    def __init__(self, fingerprints: Sequence[int], bits: int, sealer: Sealer) -> None:
        self._known = np.asarray(fingerprints, np.uint64)
        self._shift = np.uint64(64 - bits)
        self._sealer = sealer

    def find(self, numbers: Words) -> NDArray[np.bool_]:
        return contains(self._known, self._sealer.fingerprint(numbers) >> self._shift)


def _shorten(fingerprints: Words, bits: int) -> list[int]:
    short: list[int] = order_distinct(fingerprints >> np.uint64(64 - bits)).tolist()
    return short


def _cut(phrase: bytes) -> bytes:
    """What a longer phrase is told by: its first words."""
    return phrase if len(phrase) <= LONGEST_TOLD else phrase[: LONGEST_TOLD + 1].rpartition(b" ")[0]


def _hash_phrases(phrases: Sequence[bytes]) -> Words:
    ends = np.cumsum([len(phrase) for phrase in phrases], dtype=np.int64)
    starts = ends - np.asarray([len(phrase) for phrase in phrases], np.int64)
    return SpanHashes(view_bytes(b"".join(phrases))).read(starts, ends)


def _find_starts(letters: NDArray[np.uint8]) -> Positions:
    """Where a word begins, or a character of a script that sets none apart."""
    is_word = IS_WORD[letters]
    begins = (is_word[1:] & ~is_word[:-1]) | (letters[1:] >= FIRST_LEAD_BYTE)
    return np.flatnonzero(begins) + 1


def _keep_whole(letters: NDArray[np.uint8], starts: Positions, length: int) -> Positions:
    """The starts after which something of this length ends with a word."""
    begins = starts[starts + length < len(letters)]
    ends = begins + length
    return begins[(letters[ends - 1] >= FIRST_OF_SEVERAL) | ~IS_WORD[letters[ends]]]
