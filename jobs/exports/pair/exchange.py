"""What an advertiser's clean room does with the files of a PAIR 1.1 exchange, after both lists were handed over.

The publisher's list comes under two layers and gets ours as the third; ours comes back under three. Only identifiers
under all three layers are compared, because only then can two be equal. Of those that are in both lists our layer is
taken off again: what is left, the publisher's identifiers, is for activation and for nobody else. Told are match rates
in whole percent, nothing above 85 and nothing about one person; once told, the rates of a partner stay the same for all
lists under the same keys, so that nobody learns who was matched from lists that differ by a few.

References:
    IAB Tech Lab, PAIR 1.1, 2025, "Two Data Clean Rooms", steps 2 and 3; "Data Clean Room (DCR)", requirements 6 to 8.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from jobs.errors import SophiluxError, UsageError
from jobs.exports.pair.files import REPEATED, IdentifierFile, as_array, check_name, gather, intersect, write_identifiers
from jobs.lake import Lake, storage
from jobs.lake import columns as C
from jobs.privacy.keyring import Key, open_keyring
from jobs.privacy.pair.commutative import Encrypted, check_batches, derive_scalar, invert_scalar, reencrypt_batches
from jobs.privacy.pair.keys import find_own_key, find_scope

if TYPE_CHECKING:
    import pyarrow as pa

    from jobs.exports.pair.files import Points

PROTOCOL: Final = "IAB Tech Lab PAIR 1.1"
MATCHES: Final = "ledger.pair_matches"
MINIMUM_LIST: Final = 1000
"""People a list must have before it is matched."""
HIGHEST_RATE: Final = 85
LAYERS: Final = 3
NOTE_SUFFIX: Final = ".json"


class ListTooSmallError(SophiluxError):
    """A list has fewer people than a match may be made with."""


@dataclass(frozen=True)
class Reencrypted:
    """A partner's list under our layer: how many identifiers, and how many lines were refused for what."""

    rows: int
    rejects: Mapping[str, int]


@dataclass(frozen=True)
class Match:
    """Share of either list that is in both, such as ``37%``, and the day of the lists it was told for first."""

    own_rate: str
    their_rate: str
    told_for: date
    rejects: Mapping[str, int]


def reencrypt_list(
    lake: Lake, partner: str, day: date, *, theirs: str, out: str, minimum: int = MINIMUM_LIST
) -> Reencrypted:
    """Put our layer on a partner's list, in an order that tells nothing about theirs.

    Args:
        lake: gives the key ring.
        partner: the publisher.
        day: the day of our list, whose key is used.
        theirs: file of the publisher's identifiers, under its two layers.
        out: file to write; a note with the same name and ``.json`` says under which key, for :func:`match_lists`.
        minimum: people the list must have.

    Raises:
        ListTooSmallError: fewer identifiers are valid.
    """
    source = IdentifierFile(theirs)
    check_name(out)
    key = find_own_key(open_keyring(lake.settings), partner, day, may_make=False)
    points, rejects = _collect(reencrypt_batches(source.read(), derive_scalar(key.secret)))
    rejects.update(source.rejects)
    check_size(f"{partner}'s list", len(points), minimum, rejects)
    write_identifiers(out, points)
    _write_note(out, partner, day, key, points)
    return Reencrypted(len(points), rejects)


def match_lists(
    lake: Lake, partner: str, day: date, *, ours: str, theirs: str, out: str, minimum: int = MINIMUM_LIST
) -> Match:
    """Find who is in both lists, and write the publisher's identifiers of those for activation.

    Args:
        lake: gives the key ring, and keeps the rates that were told.
        partner: the publisher.
        day: the day of our list.
        ours: file of our identifiers as the publisher gave them back, under three layers.
        theirs: file that :func:`reencrypt_list` wrote.
        out: file to write.
        minimum: people either list must have.

    Raises:
        UsageError: ``theirs`` is not as :func:`reencrypt_list` wrote it for this partner and day.
        ListTooSmallError: a list has fewer valid identifiers.
    """
    for name in (ours, theirs, out):
        check_name(name)
    key = find_own_key(open_keyring(lake.settings), partner, day, may_make=False)
    undoing = invert_scalar(derive_scalar(key.secret))
    own, rejects = _load(ours)
    other, _ = _load(theirs)
    _check_note(theirs, partner, day, key, other)
    check_size("our list as it came back", len(own), minimum, rejects)
    check_size(f"{partner}'s list", len(other), minimum, Counter())
    both = intersect(own, other)
    if not len(both):
        message = (
            f"Nobody is in both lists, which is what different secrets or a missing layer look like; compare the "
            f"secret of {day} and the file with {partner}. Nothing was handed over, and no match rate was told."
        )
        raise SophiluxError(message)
    matched, _ = _collect(reencrypt_batches([as_array(both)], undoing))
    rates = {C.OWN_RATE: describe_rate(len(both), len(own)), C.THEIR_RATE: describe_rate(len(both), len(other))}
    told = _tell_once(lake, partner, day, key, rates)
    write_identifiers(out, matched)
    return Match(told[C.OWN_RATE], told[C.THEIR_RATE], told[C.DAY], rejects)


def describe_rate(matched: int, rows: int) -> str:
    """A match rate as it may be told: whole percent, rounded down, and above 85 no more than that it is.

    References:
        PAIR 1.1, "Data Clean Room (DCR)", requirement 8.
    """
    if matched * 100 > HIGHEST_RATE * rows:
        return f">{HIGHEST_RATE}%"
    return f"{matched * 100 // rows}%"


def check_size(what: str, people: int, minimum: int, rejects: Mapping[str, int]) -> None:
    """Refuse a list that is too small to hide a person in.

    Raises:
        ListTooSmallError: it has fewer people than the minimum.
    """
    if people < minimum:
        found = ", ".join(f"{count:,} {reason}" for reason, count in sorted(rejects.items()) if count)
        refused = f" (refused: {found})" if found else ""
        message = (
            f"{what} has {people:,} valid identifiers{refused}; "
            f"a match needs {minimum:,} people in either list. Nothing was handed over."
        )
        raise ListTooSmallError(message)


def _load(location: str) -> "tuple[Points, Counter[str]]":
    """The valid points of a file, and what else was in it."""
    source = IdentifierFile(location)
    points, rejects = _collect(check_batches(source.read()))
    rejects.update(source.rejects)
    return points, rejects


def _collect(batches: Iterable[Encrypted]) -> "tuple[Points, Counter[str]]":
    rejects: Counter[str] = Counter()

    def take() -> "Iterator[pa.Array]":
        for batch in batches:
            rejects.update(batch.rejects)
            yield batch.points

    points, repeated = gather(take())
    if repeated:
        rejects[REPEATED] = repeated
    return points, rejects


def _tell_once(lake: Lake, partner: str, day: date, key: Key, rates: Mapping[str, str]) -> dict[str, Any]:
    """The rates that were told first under these keys; the present ones where none were."""
    scope = f"{key.key_id}/{find_scope(open_keyring(lake.settings), partner, day)}"
    told: dict[str, Any] = {C.PARTNER: partner, C.SCOPE: scope, C.DAY: day, **rates, C.MATCHED_AT: datetime.now(UTC)}

    def choose(held: list[dict[str, Any]]) -> list[dict[str, Any]]:
        former = next((row for row in held if row[C.SCOPE] == scope), None)
        told.update(former or {})
        return [] if former else [told]

    lake.extend(MATCHES, [partner], choose)
    return told


def _write_note(out: str, partner: str, day: date, key: Key, points: "Points") -> None:
    system, path = storage.filesystem(out + NOTE_SUFFIX)
    with system.open_output_stream(path) as sink:
        sink.write(json.dumps(_describe(partner, day, key, points), indent=1).encode())


def _check_note(theirs: str, partner: str, day: date, key: Key, points: "Points") -> None:
    system, path = storage.filesystem(theirs + NOTE_SUFFIX)
    try:
        with system.open_input_stream(path) as stream:
            note = json.loads(stream.read())
    except (OSError, ValueError):
        note = None
    if note != _describe(partner, day, key, points):
        message = (
            f"{theirs} is not what 'sophilux pair reencrypt {partner} --day {day}' wrote (its note is {NOTE_SUFFIX} "
            "beside it), so our layer may be missing; re-encrypt the publisher's list first."
        )
        raise UsageError(message)


def _describe(partner: str, day: date, key: Key, points: "Points") -> dict[str, Any]:
    import xxhash

    return {
        "protocol": PROTOCOL,
        "partner": partner,
        "day": str(day),
        "key_id": key.key_id,
        "layers": LAYERS,
        "identifiers": len(points),
        "xxh3_128": xxhash.xxh3_128_hexdigest(points.tobytes()),
    }
