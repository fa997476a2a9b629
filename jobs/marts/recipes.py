"""How products become neighbours: the numbers behind ``marts.also_viewed`` and ``marts.also_bought``.

A shop changes them in a file of its own (``SOPHILUX_RECOMMENDATIONS_FILE``); ``sophilux evaluate`` tells which suit
its data. What each does to a score, and where it comes from, is in docs/recommendations.md.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from jsonschema import Draft202012Validator

from jobs.errors import UsageError

MIN_PEOPLE: Final = 2
Within = Literal["shop", "category", "category_path"]


@dataclass(frozen=True)
class Recipe:
    """How pairs are weighed, scored and kept.

    Attributes:
        cap: distinct products kept of one basket, the first by their place; bounds what one long basket can add.
        reach: products at most so many places apart make a pair.
        in_sequence: places have a meaning. If so a pair weighs 1/distance, and three quarters of that from the later
            product to the earlier one; if not, distance does not count.
        length_halves: a basket of n products weighs n^(-length_halves/2).
        half_life_days: a basket weighs half after so many days, a quarter after twice as many; 0 is for ever.
        own_quarters: exponent of the product's own weight in the score, in quarters.
        other_quarters: exponent of the other product's weight; a low one lets popular products through. Where the two
            make four, the score lies between 0 and 1.
        damping: added to both weights, in baskets; keeps pairs seen by few from the top.
        min_people: distinct people a pair needs.
        per_other: lists that one product may be in, those with its highest scores; 0 is no limit.
        top: products listed for one product.
        within: keeps only pairs of one category or of one path of categories; ``shop`` keeps all.
        small_catalogue: up to so many products, orders are completed by regression instead; 0 is never.
        regularisation: of that regression, in mean weights of a product.
    """

    cap: int
    reach: int
    in_sequence: bool
    length_halves: int
    half_life_days: int = 0
    own_quarters: int = 3
    other_quarters: int = 1
    damping: float = 1.0
    min_people: int = MIN_PEOPLE
    per_other: int = 0
    top: int = 50
    within: Within = "shop"
    small_catalogue: int = 0
    regularisation: float = 0.5


VIEWED: Final = Recipe(cap=50, reach=20, in_sequence=True, length_halves=1, half_life_days=14)
BOUGHT: Final = Recipe(
    cap=100,
    reach=100,
    in_sequence=False,
    length_halves=2,
    half_life_days=180,
    damping=0.1,
    per_other=50,
    top=100,
    small_catalogue=4096,
)
DEFAULTS: Final = {"also_viewed": VIEWED, "also_bought": BOUGHT}
CHANGEABLE: Final[dict[str, dict[str, Any]]] = {
    "cap": {"type": "integer", "minimum": 2, "maximum": 1000},
    "reach": {"type": "integer", "minimum": 1, "maximum": 1000},
    "half_life_days": {"type": "integer", "minimum": 0, "maximum": 3650},
    "own_quarters": {"type": "integer", "minimum": 0, "maximum": 4},
    "other_quarters": {"type": "integer", "minimum": 0, "maximum": 4},
    "damping": {"type": "number", "minimum": 0, "maximum": 1000},
    "min_people": {"type": "integer", "minimum": MIN_PEOPLE},
    "per_other": {"type": "integer", "minimum": 0},
    "top": {"type": "integer", "minimum": 1, "maximum": 1000},
    "within": {"enum": ["shop", "category", "category_path"]},
    "small_catalogue": {"type": "integer", "minimum": 0, "maximum": 10_000},
    "regularisation": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000},
}
SCHEMA: Final = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": {
        table: {"type": "object", "additionalProperties": False, "properties": CHANGEABLE} for table in DEFAULTS
    },
}


def load_recipes(path: Path | None) -> dict[str, Recipe]:
    """The recipe of each table; what the file does not name keeps its default.

    Args:
        path: of the shop's own file, where it has one.

    Raises:
        UsageError: the file cannot be read, or says what cannot be; all mistakes are listed.
    """
    changes = _read(path) if path else {}
    return {table: replace(recipe, **changes.get(table, {})) for table, recipe in DEFAULTS.items()}


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        message = f"The recommendations file {path} cannot be read: {str(error).splitlines()[0]}."
        raise UsageError(message) from None
    mistakes = [
        f"{'.'.join(str(part) for part in mistake.absolute_path) or 'the file'}: {mistake.message}"
        for mistake in Draft202012Validator(SCHEMA).iter_errors(document)
    ]
    if mistakes:
        message = f"The recommendations file {path} is not as it must be: {'; '.join(sorted(mistakes))}."
        raise UsageError(message)
    return document or {}
