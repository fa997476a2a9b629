"""Which values are distinctive enough to be searched for, and in which forms.

What would be found in innocent text, because many people share it or because it is short, is not searched but counted:

* e-mail addresses: always; as written and under the ``sophilux`` profile, so that other spellings are found as well;
* names: two words or more with seven bytes or more, in both orders, and without what is between first and last name;
  where words are not set apart by spaces (Chinese, Japanese, Korean), three characters or more;
* phone numbers: eight digits or more; with and without the country's ``00``, and with a ``0`` in its place where the
  number is written with the country code set apart;
* streets: with a letter and a digit (the house number) and eight characters or more;
* account numbers and whatever else a contract calls direct: with a letter and a digit and seven characters or more, or
  ten digits or more.

Unkeyed hashes are searched for every address (under every profile), phone and account number, however short.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from jobs.audit.digests import Digests, read_written
from jobs.audit.needles import SHORTEST_PHRASE, Kind, Phrases, Values
from jobs.audit.spellings import fold, phrase_form
from jobs.errors import UsageError
from jobs.privacy.emails import PROFILES, InvalidAddressError

SHORTEST_PHONE: Final = 8
SHORTEST_STREET: Final = 8
SHORTEST_CANARY: Final = 8
SHORTEST_PLAIN_NUMBER: Final = 10
UNSPACED: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{3,}")
COUNTRY_CODE: Final = re.compile(r"\s*(?:\+|00)\s*\(?\d{1,3}\)?[\s\-./(]+(?=\d)")
NOT_A_DIGIT: Final = re.compile(r"\D+")


@dataclass(frozen=True)
class Needles:
    """Everything that is searched for.

    Attributes:
        phrases: found in running text at word boundaries.
        canaries: found anywhere.
        emails: addresses, folded.
        phones: digits only.
        digests: unkeyed hashes.
        searched: how many distinct values of each kind are searched.
        skipped: how many are not, because they are not distinctive.
    """

    phrases: Phrases
    canaries: Phrases
    emails: Values
    phones: Values
    digests: Digests
    searched: Mapping[Kind, int]
    skipped: Mapping[Kind, int]


@dataclass(frozen=True)
class Forms:
    """What is looked for, in the forms that texts are brought to.

    Attributes:
        phrases: kind and words of each.
        emails: addresses, folded.
        phones: digits only.
        hashed: texts of which unkeyed hashes are looked for.
    """

    phrases: tuple[tuple[Kind, bytes], ...]
    emails: frozenset[str]
    phones: frozenset[str]
    hashed: frozenset[str]


class Identifiers:
    """Collects the values to search for."""

    def __init__(self) -> None:
        self._values: dict[Kind, set[str]] = {kind: set() for kind in Kind}

    def add(self, kind: Kind, values: Iterable[str]) -> None:
        """Take values of one kind."""
        self._values[kind].update(value for value in values if value.strip())

    def add_canaries(self, canaries: Iterable[str]) -> None:
        """Take planted texts.

        Raises:
            UsageError: one is too short to be told from chance.
        """
        listed = [canary for canary in canaries if canary.strip()]
        short = [number for number, text in enumerate(listed, start=1) if not is_distinctive(Kind.CANARY, text)]
        if short:
            message = (
                f"A canary must have {SHORTEST_CANARY} letters and digits or more; too short is number {short[0]}."
            )
            raise UsageError(message)
        self.add(Kind.CANARY, listed)

    def allow(self, values: Iterable[str]) -> None:
        """Leave out values, because they may stand in texts that are not about the person."""
        forms = {phrase_form(value) for value in values}
        for kind, taken in self._values.items():
            self._values[kind] = {value for value in taken if phrase_form(value) not in forms} if forms else taken

    def build(self) -> Needles:
        """The needles of all values taken so far."""
        forms, searched = self.list_forms(), self._choose()
        return Needles(
            Phrases(forms.phrases),
            Phrases(((Kind.CANARY, phrase_form(v)) for v in searched[Kind.CANARY]), whole_words=False),
            Values(forms.emails),
            Values(forms.phones),
            Digests(forms.hashed, searched[Kind.DIGEST]),
            *self.count(),
        )

    def list_forms(self) -> "Forms":
        """What is looked for instead of the values."""
        searched = self._choose()
        words = (Kind.NAME, Kind.STREET, Kind.ACCOUNT, Kind.OTHER, Kind.PSEUDONYM)
        return Forms(
            tuple((kind, form) for kind in words for value in searched[kind] for form in list_phrases(kind, value)),
            frozenset(form for value in searched[Kind.EMAIL] for form in list_addresses(value)),
            frozenset(form for value in searched[Kind.PHONE] for form in list_phone_numbers(value)),
            frozenset(self._list_hashed()),
        )

    def count(self) -> tuple[dict[Kind, int], dict[Kind, int]]:
        """How many values of each kind are searched, and how many are not, because they are not distinctive."""
        searched = self._choose()
        skipped = {kind: len(v) - len(searched[kind]) for kind, v in self._values.items() if v - searched[kind]}
        return {kind: len(values) for kind, values in searched.items() if values}, Counter(skipped)

    def _choose(self) -> dict[Kind, set[str]]:
        return {kind: {v for v in values if is_distinctive(kind, v)} for kind, values in self._values.items()}

    def _list_hashed(self) -> Iterator[str]:
        for address in self._values[Kind.EMAIL]:
            yield from {address, address.strip(), address.strip().lower(), *list_addresses(address)}
        for phone in self._values[Kind.PHONE]:
            digits = NOT_A_DIGIT.sub("", phone)
            yield from {phone.strip(), digits, f"+{digits}", f"00{digits}"}
        yield from self._values[Kind.ACCOUNT] | self._values[Kind.OTHER]


def is_distinctive(kind: Kind, value: str) -> bool:
    """Whether a value of a kind stands in texts only where somebody is meant; see above for the rules."""
    if kind is Kind.PHONE:
        return len(NOT_A_DIGIT.sub("", value)) >= SHORTEST_PHONE
    if kind is Kind.EMAIL:
        return "@" in value
    if kind is Kind.DIGEST:
        return read_written(value) is not None
    form = phrase_form(value)
    has_both = any(map(str.isalpha, value)) and any(map(str.isdigit, value))
    is_number = has_both or (form.isdigit() and len(form) >= SHORTEST_PLAIN_NUMBER)
    rules = {
        Kind.NAME: b" " in form or UNSPACED.fullmatch(form.decode()) is not None,
        Kind.STREET: has_both and len(value.strip()) >= SHORTEST_STREET,
        Kind.ACCOUNT: is_number,
        Kind.OTHER: is_number,
    }
    return len(form) >= SHORTEST_PHRASE and rules.get(kind, len(form) >= SHORTEST_CANARY)


def list_phrases(kind: Kind, value: str) -> Iterator[bytes]:
    """The forms of a name, street or account number in running text."""
    form = phrase_form(value)
    yield form
    if kind is not Kind.NAME or b" " not in form:
        return
    first, *_, last = form.split(b" ")
    yield from (pair for pair in (first + b" " + last, last + b" " + first) if len(pair) >= SHORTEST_PHRASE)
    together = form.replace(b" ", b"")
    if UNSPACED.fullmatch(together.decode()):
        yield together


def list_addresses(address: str) -> set[str]:
    """The forms of an address that are looked up, folded: as written, and under each profile."""
    written = fold(address.strip().encode("utf-8", "replace")).decode()
    return {written, *_normalise(address)}


def list_phone_numbers(phone: str) -> set[str]:
    """The digits of a phone number, as it is dialled from abroad and from within its country."""
    digits = NOT_A_DIGIT.sub("", phone)
    numbers = {digits, digits.removeprefix("00"), f"00{digits}"}
    national = NOT_A_DIGIT.sub("", COUNTRY_CODE.sub("", phone, count=1))
    if national != digits and len(national) >= SHORTEST_PHONE:
        numbers.add(f"0{national}")
    return numbers


def normalise_address(address: str) -> str | None:
    """The address under the sophilux profile; none where it cannot be one."""
    try:
        return PROFILES["sophilux"].normalise_text(address)
    except InvalidAddressError:
        return None


def _normalise(address: str) -> Iterator[str]:
    for profile in PROFILES.values():
        try:
            yield profile.normalise_text(address)
        except InvalidAddressError:
            continue
