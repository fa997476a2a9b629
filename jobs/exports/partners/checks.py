"""What is wrong with a partners file, all at once: its JSON schema, and the rules a schema cannot say.

Where packages go and whom they are encrypted to may hold a secret by mistake, so such a value is never repeated.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from fsspec import available_protocols
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from jobs.privacy.export_rules import ALL_COUNTRIES

SCHEMA_FILE: Final = Path(__file__).with_name("partners.schema.json")
SHOWN_CHARACTERS: Final = 60
HIDDEN: Final = ("encrypt_to", "deliver_to")
UNIQUE: Final = ("name", "deliver_to")
NEEDED: Final[Mapping[str, tuple[str, ...]]] = {"platform": ("platform", "accept_reversible", "reason")}
KINDS_OF_FIELD: Final[Mapping[str, tuple[str, ...]]] = {
    "epoch": ("opaque",),
    "overlap_days": ("opaque",),
    "platform": ("platform",),
    "accept_reversible": ("platform",),
    "reason": ("platform",),
    "profile": ("shared-key",),
    "third_layer": ("pair",),
}
"""Fields that would have no effect for other kinds of partners, and so mislead whoever reads the file."""

Place = Sequence[str | int]
Found = tuple[Place, str]


def find_mistakes(document: Any) -> list[str]:  # noqa: ANN401
    """Every mistake of a partners file as read from YAML, by entry; none means that the file holds."""
    found = [*_find_by_schema(document), *_find_in_rules(document), *_find_in_partners(document)]
    found.sort(key=lambda mistake: [f"{part:>9}" for part in mistake[0]])
    return list(dict.fromkeys(f"{_name_place(place, document)}{text}" for place, text in found))


def _find_by_schema(document: Any) -> Iterator[Found]:  # noqa: ANN401
    for error in _validator().iter_errors(document):
        yield from ((list(error.absolute_path), text) for text in _describe(error))


@cache
def _validator() -> Draft202012Validator:
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=FormatChecker(["date"]))


def _describe(error: ValidationError) -> Iterator[str]:
    """The mistake in words, one for each key that is unknown or missing."""
    schema: Any = error.schema
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        known = list(schema["properties"])
        unknown = [key for key in instance if key not in known]
        yield from (f"there is no key {_show(key)}{_suggest(str(key), known)}" for key in unknown)
    elif error.validator == "required":
        yield from (f"{key} is missing" for key in schema["required"] if key not in instance)
    else:
        yield f"must be {schema['description']}{_tell_value(error)}"


def _tell_value(error: ValidationError) -> str:
    """The value that was found, unless it holds others or may be a secret."""
    values = error.instance if isinstance(error.instance, list) else [error.instance]
    is_hidden = any(part in HIDDEN for part in error.absolute_path)
    is_nested = any(isinstance(value, dict | list) for value in values)
    return "" if is_hidden or is_nested else f", got {_show(error.instance)}"


def _show(value: Any) -> str:  # noqa: ANN401
    text = json.dumps(value, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"


def _suggest(key: str, known: list[str]) -> str:
    close = get_close_matches(key, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _name_place(place: Place, document: Any) -> str:  # noqa: ANN401
    """Such as ``partners[0] (adnet-eu) countries[1]: ``; nothing for the document itself."""
    text = ""
    for number, part in enumerate(place):
        text += f"[{part}]" if isinstance(part, int) else f"{' ' * bool(text)}{part}"
        if number == 1 and place[0] == "partners":
            entry = document["partners"][part]
            name = entry.get("name") if isinstance(entry, dict) else None
            text += f" ({name})" if isinstance(name, str) and name.isprintable() and len(name) <= 41 else ""
    return f"{text}: " if text else "the file: "


def _find_in_rules(document: Any) -> Iterator[Found]:  # noqa: ANN401
    rules = document.get("eligibility") if isinstance(document, dict) else None
    if isinstance(rules, dict):
        place = ("eligibility", "age_required_in")
        yield from ((place, text) for text in _check_countries(rules.get("age_required_in")))


def _find_in_partners(document: Any) -> Iterator[Found]:  # noqa: ANN401
    """Mistakes of entries that the schema does not see, also of a file that it refuses."""
    listed = document.get("partners") if isinstance(document, dict) else None
    entries = [
        (("partners", number), entry)
        for number, entry in enumerate(listed if isinstance(listed, list) else [])
        if isinstance(entry, dict)
    ]
    for place, entry in entries:
        yield from ((place, text) for text in _check_kind(entry))
        for field, check in CHECKS.items():
            yield from (((*place, field), text) for text in check(entry.get(field)))
    for field in UNIQUE:
        values = [str(entry[field]).rstrip("/") if field in entry else None for _, entry in entries]
        repeated = {value for value, times in Counter(values).items() if value and times > 1}
        for (place, _), value in zip(entries, values, strict=True):
            if value in repeated:
                yield (*place, field), "another partner has the same"


def _check_kind(entry: Mapping[str, Any]) -> Iterator[str]:
    kind = entry.get("kind", "opaque")
    for field in NEEDED.get(kind if isinstance(kind, str) else "", ()):
        if field not in entry:
            yield f"{field} is missing, which kind {kind} needs"
    for field, kinds in KINDS_OF_FIELD.items():
        if field in entry and kind not in kinds:
            yield f"{field} is for kind {' or '.join(kinds)} only, and this one's kind is {_show(kind)}"
    if entry.get("platform") == "uid2" and entry.get("format") == "csv":
        yield "format must be parquet for platform uid2, whose hashes may begin with +, which spreadsheets calculate"


def _check_countries(countries: Any) -> Iterator[str]:  # noqa: ANN401
    import pycountry

    if not isinstance(countries, list):
        return
    if ALL_COUNTRIES in countries and len(countries) > 1:
        yield "must be either [all] or a list of codes, not both"
    for code in countries:
        is_code = isinstance(code, str) and len(code) == 2 and code.isascii() and code.isupper()
        if is_code and not pycountry.countries.get(alpha_2=code):
            yield f"{code} is no country code of ISO 3166"


def _check_recipients(recipients: Any) -> Iterator[str]:  # noqa: ANN401
    from pyrage import RecipientError, x25519

    listed = recipients if isinstance(recipients, list) else [recipients]
    for number, recipient in enumerate(listed):
        if isinstance(recipient, str) and recipient.startswith("age1"):
            try:
                x25519.Recipient.from_str(recipient)
            except RecipientError:
                yield f"recipient {number + 1} is no whole age recipient (copy it again from the partner)"


def _check_delivery(location: Any) -> Iterator[str]:  # noqa: ANN401
    if not isinstance(location, str) or "://" not in location:
        return
    try:
        parts = urlsplit(location)
        user = unquote(parts.netloc.rpartition("@")[0])
    except ValueError:
        yield "is no URL that can be read"
        return
    protocol = location.partition("://")[0]
    if protocol not in available_protocols():
        yield "must begin with a protocol that fsspec knows, such as s3://, sftp:// or file://"
    if ":" in user or parts.query or parts.fragment:
        yield "holds credentials or options, which belong into the environment of whoever runs the export"


CHECKS: Final[Mapping[str, Callable[[Any], Iterator[str]]]] = {
    "countries": _check_countries,
    "encrypt_to": _check_recipients,
    "deliver_to": _check_delivery,
}
"""What else is asked of a field's value; a value of another type is the schema's to refuse."""
