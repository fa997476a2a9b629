"""A month of a shop for timing marts, written straight into a lake: no source, no conforming.

One event in ten is an order line. Products are popular by Zipf's law; visits and orders stay among neighbours by number,
so that there are pairs to find. One person makes one click in 500, in one visit a day.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from pathlib import Path

import numpy as np
import pyarrow as pa
from deltalake import WriterProperties, write_deltalake

from jobs.privacy.subject_ids import bucket_of

FIRST_DAY, DAYS, CLICK_DAYS = date(2026, 3, 2), 30, 10
EVENTS_PER_LINE, LINES_PER_ORDER, ORDERS_PER_PERSON = 10, 3, 4
EVENTS_PER_VISITOR, EVENTS_PER_VISIT = 25, 8
HEAVY_SHARE = 0.002
"""Of a day's clicks, by one person in one visit."""
PARTNERS, CAMPAIGNS, COUNTS_DAYS = np.array(["adnet", "reach"]), 20, 7
"""An ad counts for so many days after the one it was shown on."""
PRODUCTS = 20_000
ACTIONS = np.array(["view", "view", "view", "view", "view", "view", "cart", "favourite"])
COUNTRIES = np.array(["DE", "FR", "GB", "SE", "US"])


def write_purchases(home: Path, events: int) -> None:
    """Orders, lines and the catalogue of the month."""
    random = np.random.default_rng(3)
    lines = events // EVENTS_PER_LINE
    orders = lines // LINES_PER_ORDER
    people = orders // ORDERS_PER_PERSON
    who = random.integers(0, people, orders)
    of = np.sort(random.integers(0, orders, lines))
    product = draw_products(random, of, orders)
    days = np.datetime64(FIRST_DAY) + np.sort(random.integers(0, DAYS, orders))
    moments = days.astype("datetime64[us]") + random.integers(0, 86_400_000_000, orders).astype("timedelta64[us]")
    at = pa.array(moments, pa.timestamp("us", "UTC"))
    bought = {
        "day": pa.array(days),
        "order_id": pa.array([f"O{n}" for n in range(orders)]),
        "subject_id": name_people(people).take(pa.array(who)),
        "country": pa.array(COUNTRIES[who % len(COUNTRIES)]),
        "ordered_at": at,
        "pull_day": pa.array(days),
    }
    write(home, "lake.orders", pa.table({**bought, "status": pa.repeat("paid", orders), "updated_at": at}))
    taken = pa.table(bought).take(pa.array(of))
    amounts = {
        "line_id": pa.array(np.arange(lines)),
        "product_id": name_products(product),
        "quantity": pa.array(1 + random.integers(0, 3, lines)),
        "unit_price": pa.array((product % 90 + 1).astype(np.float64)).cast(pa.decimal128(12, 2)),
    }
    for name, values in amounts.items():
        taken = taken.append_column(name, values)
    write(home, "lake.order_lines", taken)
    numbers = np.arange(PRODUCTS)
    catalogue = {
        "product_id": name_products(numbers),
        "name": pa.array([f"Product {n}" for n in numbers]),
        "category_path": pa.array([f"Top {n % 10}/Middle {n % 100}" for n in numbers]),
        "category": pa.array([f"Top {n % 10}" for n in numbers]),
        "is_merchandise": pa.repeat(True, PRODUCTS),
        "updated_at": pa.repeat(at[0], PRODUCTS),
    }
    write(home, "lake.products", pa.table(catalogue))


def write_clicks(home: Path, events: int) -> None:
    """Clicks of the month's last days, and the people behind them."""
    names, buckets = write_people(home, events)
    people = len(names)
    for number, rows in enumerate(draw_clicks(events, people, names, buckets)):
        write(home, "lake.clicks", rows, mode="overwrite" if number == 0 else "append")


def write_people(home: Path, events: int) -> tuple[pa.Array, np.ndarray]:
    """Everybody, of whom one in fifty opted out of personalisation; returns their pseudonyms and buckets."""
    people = max(events // EVENTS_PER_VISITOR, 100)
    names, buckets = name_people(people), number_buckets(people)
    numbers = np.arange(people)
    subjects = {
        "subject_id": names,
        "subject_bucket": pa.array(buckets),
        "person_id": names,
        "country": pa.array(COUNTRIES[numbers % len(COUNTRIES)]),
        "ads_opt_out": pa.repeat(False, people),
        "personalisation_opt_out": pa.array(numbers % 50 == 49),
        "updated_at": pa.repeat(pa.scalar(datetime.combine(FIRST_DAY, time(), UTC), pa.timestamp("us", "UTC")), people),
    }
    write(home, "lake.subjects", pa.table(subjects))
    return names, buckets


def write_impressions(home: Path, events: int) -> None:
    """Ads of the month, of which one in a hundred is clicked, and the people who saw them."""
    names, buckets = write_people(home, events)
    people, random = len(names), np.random.default_rng(7)
    a_day = events // DAYS
    for number in range(DAYS):
        who, partner = random.integers(0, people, a_day), random.integers(0, len(PARTNERS), a_day)
        campaign = (random.pareto(0.9, a_day) * 4).astype(np.int64) % CAMPAIGNS
        day = np.datetime64(FIRST_DAY) + number
        shown = day.astype("datetime64[us]") + random.integers(0, 86_400, a_day).astype("timedelta64[s]")
        rows = {
            "day": pa.repeat(pa.scalar(day.astype(date)), a_day),
            "impression_id": pa.array(np.arange(a_day) + number * a_day),
            "partner": pa.array(PARTNERS).take(pa.array(partner)),
            "campaign": pa.array([f"campaign {n}" for n in range(CAMPAIGNS)]).take(pa.array(campaign)),
            "subject_id": names.take(pa.array(who)),
            "subject_bucket": pa.array(buckets[who]),
            "shown_at": pa.array(shown, pa.timestamp("us", "UTC")),
            "is_click": pa.array(random.integers(0, 100, a_day) == 0),
            "counts_until": pa.repeat(pa.scalar((day + COUNTS_DAYS).astype(date)), a_day),
            "pull_day": pa.repeat(pa.scalar(day.astype(date)), a_day),
        }
        write(home, "lake.impressions", pa.table(rows), mode="overwrite" if number == 0 else "append")


def draw_clicks(events: int, people: int, names: pa.Array, buckets: np.ndarray) -> Iterator[pa.Table]:
    """One table a day."""
    random = np.random.default_rng(5)
    a_day = events // CLICK_DAYS
    for number in range(CLICK_DAYS):
        visits = a_day // EVENTS_PER_VISIT
        visit = np.sort(random.integers(0, visits, a_day))
        heavy = int(a_day * HEAVY_SHARE)
        visit[:heavy] = visit[0]
        who = random.integers(0, people, visits)
        who[visit[0]] = 0
        subject = who[visit]
        day = np.datetime64(FIRST_DAY) + (DAYS - CLICK_DAYS + number)
        start = random.integers(0, 80_000, visits)[visit].astype("timedelta64[s]")
        moments = day.astype("datetime64[us]") + start + (np.arange(a_day) % 4_000).astype("timedelta64[s]")
        yield pa.table(
            {
                "day": pa.repeat(pa.scalar(day.astype(date)), a_day),
                "event_id": pa.array(np.arange(a_day) + number * a_day),
                "event_time": pa.array(moments, pa.timestamp("us", "UTC")),
                "subject_id": names.take(pa.array(subject)),
                "subject_bucket": pa.array(buckets[subject]),
                "session_id": pa.array(visit + number * visits),
                "action": pa.array(ACTIONS).take(pa.array(random.integers(0, len(ACTIONS), a_day))),
                "product_id": name_products(draw_products(random, visit, visits)),
                "pull_day": pa.repeat(pa.scalar(day.astype(date)), a_day),
            }
        )


def draw_products(random: np.random.Generator, of: np.ndarray, groups: int) -> np.ndarray:
    """A product for every row: near the centre of its group; centres are popular by a power law."""
    centre = (random.pareto(0.9, groups) * 40).astype(np.int64)
    return (np.minimum(centre, 10 * PRODUCTS)[of] + random.geometric(0.05, len(of))) % PRODUCTS


def name_products(numbers: np.ndarray) -> pa.Array:
    """Product ids, by number."""
    return pa.array([f"P{n:05d}" for n in range(PRODUCTS)]).take(pa.array(numbers))


def name_people(people: int) -> pa.Array:
    """Pseudonyms, by number."""
    return pa.array([f"{n:032x}" for n in range(people)])


def number_buckets(people: int) -> np.ndarray:
    """``subject_bucket``, by number of a person."""
    return np.fromiter((bucket_of(f"{n:032x}") for n in range(people)), np.int32, people)


def write(home: Path, table: str, rows: pa.Table, *, mode: str = "overwrite") -> None:
    """A table in its contract's columns, clustered as the lake leaves it; columns that the rows lack are null."""
    from jobs.lake import Contracts
    from jobs.lake.clustering import ROW_GROUP_ROWS, list_order, sort_table

    contract = Contracts.load()[table]
    schema = contract.arrow_schema()
    for field in schema:
        if field.name not in rows.column_names:
            rows = rows.append_column(field.name, pa.nulls(rows.num_rows, field.type))
    location = home / table.replace(".", "/")
    partition = [contract.partition_column] if contract.partition_column else None
    rows = rows.select(schema.names).cast(schema)
    properties = None
    if list_order(contract):
        rows, properties = sort_table(rows, contract), WriterProperties(max_row_group_size=ROW_GROUP_ROWS)
    write_deltalake(str(location), rows, partition_by=partition, mode=mode, writer_properties=properties)
