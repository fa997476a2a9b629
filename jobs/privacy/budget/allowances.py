"""The budgets file: what may be spent on releases about people, and how charts of best-sellers are made.

It is public, a decision of people, and never tuned on the data it protects.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from jsonschema import Draft202012Validator

from jobs.errors import UsageError
from jobs.privacy.epochs import MONTHS

DEFAULT_FILE: Final = Path(__file__).with_name("budgets.yaml")
WINDOWS: Final = ("day", "week", "month", "year", "trailing7", "trailing30")
NUMBERS: Final = ("buyers", "units", "revenue")
_SHARE: Final = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
_COST: Final = {"type": "number", "exclusiveMinimum": 0, "maximum": 10_000}
_COUNT: Final = {"type": "integer", "minimum": 1, "maximum": 1_000_000}


def _object(properties: Mapping[str, Any], *, all_required: bool = True) -> dict[str, Any]:
    required = list(properties) if all_required else []
    return {"type": "object", "required": required, "additionalProperties": False, "properties": dict(properties)}


_SHARES: Final = _object(dict.fromkeys(NUMBERS, _SHARE))
_WINDOW: Final = _object({"rho": _COST, "products": _COUNT})
_ALLOWANCE: Final = _object({"period": {"enum": list(MONTHS)}, "rho": _COST})
SCHEMA: Final = {
    "type": "object",
    "required": ["delta", "datasets"],
    "additionalProperties": False,
    "properties": {
        "delta": {"type": "number", "exclusiveMinimum": 0, "maximum": 1e-3},
        "datasets": {"type": "object", "additionalProperties": _ALLOWANCE},
        "bestsellers": _object(
            {
                "dataset": {"type": "string"},
                "windows": _object(dict.fromkeys(WINDOWS, _WINDOW), all_required=False),
                "units": _COUNT,
                "revenue": _COUNT,
                "overall": _SHARES,
                "country": _SHARES,
            }
        ),
    },
}


@dataclass(frozen=True)
class Allowance:
    """What one data set may spend per calendar period."""

    dataset: str
    period: str
    rho: float


@dataclass(frozen=True)
class Window:
    """One kind of chart: the cost of a release, and the products that one person counts for at most."""

    rho: float
    products: int


@dataclass(frozen=True)
class ChartTerms:
    """How charts of best-sellers are made.

    Attributes:
        dataset: whose budget pays.
        windows: by kind of period; a kind that is not there is not published.
        units: that one person adds to one product of a chart at most.
        revenue: the same in whole units of currency.
        overall: shares of a release's cost for the numbers of all countries together.
        country: shares for the numbers per country.
    """

    dataset: str
    windows: Mapping[str, Window]
    units: int
    revenue: int
    overall: Mapping[str, float]
    country: Mapping[str, float]

    def tell(self) -> dict[str, Any]:
        """The terms as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Budgets:
    """Allowances by data set; ``delta`` is the probability that epsilons are told with."""

    delta: float
    allowances: dict[str, Allowance]
    charts: ChartTerms

    def allowance(self, dataset: str) -> Allowance:
        """What a data set may spend.

        Raises:
            UsageError: the budgets file does not name it.
        """
        try:
            return self.allowances[dataset]
        except KeyError:
            known = ", ".join(sorted(self.allowances)) or "none"
            message = f"The budgets file allows {known}, nothing for the data set {dataset!r}; declare it there first."
            raise UsageError(message) from None


def load_budgets(path: Path | None) -> Budgets:
    """Read and check the budgets file; the one that comes with the program where ``path`` is none.

    A file that says nothing about best-sellers takes their terms from the one that comes with the program.

    Raises:
        UsageError: there is no such file, or it has mistakes, which are all listed.
    """
    file = path or DEFAULT_FILE
    document = _read_document(file)
    charts = document.get("bestsellers") or _read_document(DEFAULT_FILE)["bestsellers"]
    allowances = {name: Allowance(name, a["period"], float(a["rho"])) for name, a in document["datasets"].items()}
    windows = {kind: Window(float(w["rho"]), w["products"]) for kind, w in charts["windows"].items()}
    return Budgets(float(document["delta"]), allowances, ChartTerms(**{**charts, "windows": windows}))


def _read_document(file: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        message = f"The budgets file {file} cannot be read as YAML: {reason}."
        raise UsageError(message) from None
    mistakes = [f"{e.json_path}: {e.message[:160]}" for e in Draft202012Validator(SCHEMA).iter_errors(document)]
    if not mistakes and (shares := _sum_shares(document)) is not None and not math.isclose(shares, 1, abs_tol=1e-9):
        mistakes = [f"$.bestsellers: the shares of overall and country make {shares:g}, they must make 1"]
    if mistakes:
        raise UsageError(f"The budgets file {file} is not as it must be: " + "; ".join(sorted(mistakes)) + ".")
    checked: dict[str, Any] = document
    return checked


def _sum_shares(document: Mapping[str, Any]) -> float | None:
    charts = document.get("bestsellers")
    return None if charts is None else sum([*charts["overall"].values(), *charts["country"].values()])
