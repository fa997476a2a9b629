"""Published tables of a made-up shop, as the marts would leave them, with a few odd rows."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

from jobs.lake import Lake
from tests.marts.tables import fill

DAY = date(2026, 3, 8)
MADE_AT = datetime(2026, 3, 9, 6, 30, tzinfo=UTC)
TREE = {
    "Home/Kitchen": ["Enamel kettle", "Oak chopping board", "Copper pan", "Café press", "Linen tea towels, set of 3"],
    "Home/Lighting": ["Paper lantern", "Reading lamp Aurora", "Beeswax candles", "Garden lantern, large, galvanised"],
    "Toys/Wooden": ["Stacking rainbow", "Railway bridge", "Spinning top"],
    "Stationery": ["Letter opener, brass", "Dotted notebook A5", "Fountain pen Nocturne", "Sealing wax, burgundy"],
}
COUNTRIES = ("DE", "FR", "GB", "JP")
INJECTION = '=1+1|"calc"'
MARKUP = "<img src=x onerror=alert(1)></script>"
NAMELESS = "P99"
PRODUCTS = [
    (f"P{number:02}", name, path)
    for number, (path, name) in enumerate(((path, name) for path, names in TREE.items() for name in names), start=1)
]
ODD = [("P97", INJECTION, "Toys/Wooden"), ("P98", MARKUP, "Stationery"), (NAMELESS, NAMELESS, None)]
MARGINS = {"day": 12, "trailing7": 14, "week": 10, "trailing30": 21, "month": 9, "year": 9}
LENGTHS = {"day": 1, "trailing7": 7, "trailing30": 30}


def list_periods() -> list[tuple[str, str, date, date]]:
    """Id, kind, first and last day of the periods that are published; the last day has no chart of its own."""
    periods = []
    for back in range(1, 6):
        last = DAY - timedelta(back)
        periods.append((str(last), "day", last, last))
    for back in range(4):
        last = DAY - timedelta(back)
        periods += [(f"{last}-{n}d", f"trailing{n}", last - timedelta(n - 1), last) for n in (7, 30)]
    for back in range(10):
        monday = DAY - timedelta(6 + 7 * back)
        year, week, _ = monday.isocalendar()
        periods.append((f"{year}-W{week:02}", "week", monday, monday + timedelta(6)))
    periods.append(("2026-02", "month", date(2026, 2, 1), date(2026, 2, 28)))
    periods.append(("2026-01", "month", date(2026, 1, 1), date(2026, 1, 31)))
    return periods


def chart_rows(*, products=None, periods=None, seed: int = 4) -> list[dict]:
    """Rows of ``marts.bestsellers``."""
    random = Random(seed)
    rows: list[dict] = []
    products = [*PRODUCTS, *ODD] if products is None else products
    places: dict[tuple, int] = {}
    popular = {product: random.uniform(20, 300) for product, _, _ in products}
    for period_id, kind, start, end in sorted(periods or list_periods(), key=lambda period: (period[1], period[2])):
        buyers = {p: max(8, round(popular[p] * random.uniform(0.7, 1.3))) for p, _, _ in products}
        for scope, value, level, share in list_scopes(products):
            inside = [entry for entry in products if is_inside(entry, scope, value) and buyers[entry[0]] * share > 6]
            best = sorted(inside, key=lambda entry: (-buyers[entry[0]], entry[0]))
            for rank, (product, name, path) in enumerate(best, start=1):
                before = places.get((kind, scope, value, product))
                count = round(buyers[product] * share)
                rows.append(
                    {
                        "period_id": period_id, "period": kind, "period_start": start, "period_end": end,
                        "scope": scope, "scope_value": value, "level": level,
                        "product_id": product, "product_name": name, "category_path": path,
                        "category": path and path.split("/")[0],
                        "buyers": count, "buyers_margin": MARGINS[kind],
                        "units": round(count * 1.4), "units_margin": MARGINS[kind] * 3,
                        "revenue": Decimal(count * 19), "revenue_margin": MARGINS[kind] * 40, "currency": "EUR",
                        "rank": rank, "previous_rank": before, "rank_change": before and before - rank,
                        "is_new_entry": before is None, "weeks_on_chart": 1 + rank % 5,
                        "revision": 2 if period_id == "2026-W09" else 1,
                        "restated_at": MADE_AT if period_id == "2026-W09" else None,
                        "restated_why": "late orders" if period_id == "2026-W09" else None,
                        "released_at": MADE_AT, "release_id": f"r-{period_id}",
                        "rho": 0.002, "epsilon": 0.33, "delta": 2e-6,
                    }
                )  # fmt: skip
                places[kind, scope, value, product] = rank
    return rows


def list_scopes(products):
    paths = sorted({path for _, _, path in products if path})
    tops = sorted({path.split("/")[0] for path in paths})
    yield "overall", "all", None, 1
    for path in sorted({*paths, *tops}):
        yield "category", path, path.count("/") + 1, 1
    for country, share in zip(COUNTRIES, (0.5, 0.25, 0.15, 0.1), strict=True):
        yield "country", country, None, share


def is_inside(product, scope: str, value: str) -> bool:
    return scope != "category" or f"{product[2] or ''}/".startswith(f"{value}/")


def pair_rows(counts: tuple[str, str], *, people: int) -> list[dict]:
    """Rows of ``marts.also_bought`` or ``marts.also_viewed``."""
    meetings, persons = counts
    rows = []
    for place, (product, _, _) in enumerate(PRODUCTS):
        others = [PRODUCTS[(place + step) % len(PRODUCTS)][0] for step in (1, 2, 3, 5)] + ["P97"]
        for rank, other in enumerate(others, start=1):
            rows.append(
                {
                    "product_id": product, "other_product_id": other, "rank": rank, "score": round(0.9 / rank, 6),
                    meetings: people + 9 - rank, persons: people, "as_of": DAY,
                }
            )  # fmt: skip
    return rows


def ad_rows() -> list[dict]:
    """Rows of ``marts.ad_effectiveness``."""
    margins = {"reached_margin": 63, "clicked_margin": 89, "bought_margin": 89, "revenue_margin": 12_397}
    rows = []
    for week, start in (("2026-W07", date(2026, 2, 9)), ("2026-W08", date(2026, 2, 16))):
        for partner in ("adnet", "bannerly"):
            for number, campaign in enumerate(("(all)", "Spring kitchen", INJECTION), start=1):
                rows.append(
                    {
                        "week": week, "week_start": start, "partner": partner, "campaign": campaign,
                        "reached": 9_000 // number, "clicked": 700 // number, "bought": 220 // number,
                        "revenue": 31_000 // number, "release_id": f"{week}-{partner}", **margins,
                    }
                )  # fmt: skip
    return rows


def fill_shop(lake: Lake) -> None:
    """The catalogue, every published table, and a record of the steps that made them."""
    named = [*PRODUCTS, ("P97", INJECTION, "Toys/Wooden"), ("P98", MARKUP, "Stationery")]
    catalogue = [
        {"product_id": id_, "name": name, "category_path": path, "category": path.split("/")[0], "is_merchandise": True}
        for id_, name, path in named
    ]
    fill(lake, "lake.products", catalogue)
    fill(lake, "marts.bestsellers", chart_rows())
    fill(lake, "marts.also_bought", pair_rows(("orders", "buyers"), people=11))
    fill(lake, "marts.also_viewed", pair_rows(("sessions", "viewers"), people=23))
    fill(lake, "marts.ad_effectiveness", ad_rows())
    record_runs(lake)


def record_runs(lake: Lake, day: date = DAY) -> None:
    steps = ("sources.purchases", "sources.clickstream", "marts.bestsellers", "marts.also_bought", "marts.also_viewed")
    lake.record("ledger.step_runs", [run_row(step, day, day) for step in steps])
    lake.record("ledger.step_runs", [run_row("marts.ad_effectiveness", DAY - timedelta(7), DAY - timedelta(7))])


def run_row(step: str, first: date, day: date) -> dict:
    return {
        "day": day, "run_id": f"{step}-{day}", "step": step, "first_day": first, "rows_in": 10, "rows_out": 10,
        "duplicates": None, "quarantined": None, "warnings": None, "seconds": 1.0,
        "finished_at": datetime(day.year, day.month, day.day, 23, tzinfo=UTC),
    }  # fmt: skip
