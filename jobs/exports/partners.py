"""The ad partners a shop declares, read from one YAML file and checked as a whole; loads no engine.

.. code-block:: yaml

    partners:
      - name: adnet-eu
        countries: [DE, FR]
      - name: worldads
        countries: [all]
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator

from jobs.errors import UsageError

SCHEMA: Final = {
    "type": "object",
    "required": ["partners"],
    "additionalProperties": False,
    "properties": {
        "partners": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "countries"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "pattern": r"^[a-z0-9][a-z0-9-]{0,40}\Z"},
                    "countries": {
                        "type": "array",
                        "minItems": 1,
                        "uniqueItems": True,
                        "items": {"type": "string", "pattern": r"^([A-Z]{2}|all)\Z"},
                    },
                },
            },
        }
    },
}


@dataclass(frozen=True)
class Partner:
    """One ad partner; ``countries`` are two-letter codes of the people it may reach, or ``all``."""

    name: str
    countries: tuple[str, ...]


def load_partners(path: Path) -> tuple[Partner, ...]:
    """Read and check the partners file.

    Raises:
        UsageError: there is no such file, or it has mistakes, which are all listed.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = f"There is no partners file {path}; declare the partners in it, or set SOPHILUX_PARTNERS_FILE."
        raise UsageError(message) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        message = f"The partners file {path} cannot be read as YAML: {reason}."
        raise UsageError(message) from None
    mistakes = list(_find_mistakes(document))
    if mistakes:
        raise UsageError(f"The partners file {path} is not as it must be: " + "; ".join(mistakes) + ".")
    return tuple(Partner(entry["name"], tuple(entry["countries"])) for entry in document["partners"])


def find_partner(path: Path, name: str) -> Partner:
    """The declared partner of that name.

    Raises:
        UsageError: there is none; the message lists those there are.
    """
    partners = load_partners(path)
    for partner in partners:
        if partner.name == name:
            return partner
    known = ", ".join(partner.name for partner in partners) or "none"
    message = f"There is no partner {name!r} in {path}; there are {known}."
    raise UsageError(message)


def _find_mistakes(document: Any) -> Iterator[str]:  # noqa: ANN401
    broken = sorted(Draft202012Validator(SCHEMA).iter_errors(document), key=lambda error: error.json_path)
    yield from (f"{error.json_path}: {error.message[:160]}" for error in broken)
    if broken:
        return
    names = [entry["name"] for entry in document["partners"]]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"the name {name} occurs more than once"
    for entry in document["partners"]:
        if "all" in entry["countries"] and len(entry["countries"]) > 1:
            yield f"{entry['name']}: countries must be either all or a list of codes"
