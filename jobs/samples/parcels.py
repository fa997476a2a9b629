"""Carriers' files of the generated shop: one carrier delivers CSV, the other JSON Lines."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from jobs.lake import columns as C
from jobs.samples.drops import CARRIER_FIELDS, text_times, write_csv, write_file
from jobs.samples.people import People, make_phone
from jobs.samples.plan import DAY_S, Plan
from jobs.samples.purchases import Orders
from jobs.samples.words import CITIES, COUNTRIES, STREETS

TOPIC: Final = 7
CSV_CARRIER: Final = "nordpost"
JSON_CARRIER: Final = "swiftship"
CARRIERS: Final = (CSV_CARRIER, JSON_CARRIER)
ADDRESS_CORRECTED: Final = "address_corrected"
PHONE_CORRECTED: Final = "phone_corrected"
MALFORMED: Final = ("unknown_event", "bad_time", "no_tracking_no", "broken_line")
LATE_SHARE: Final = 0.03
Row = dict[str, str | None]


@dataclass
class Parcels:
    """Events of all parcels, and the lines of the carriers' drops."""

    parcels: int = 0
    events: Counter[str] = field(default_factory=Counter)
    lines: dict[tuple[str, int], list[Row | str]] = field(default_factory=lambda: defaultdict(list))
    """Lines by carrier and day of the drop; a broken line is text."""
    duplicates: int = 0
    late: int = 0
    malformed: Counter[str] = field(default_factory=Counter)


def make_parcels(plan: Plan, people: People, orders: Orders) -> Parcels:
    """Every shipped order's parcel on its way, as far as it has come by the end of the last day."""
    random = plan.random(TOPIC)
    parcels = Parcels()
    events: list[tuple[int, str, Row]] = []
    for number in np.flatnonzero(orders.shipped_s < plan.seconds).tolist():
        parcels.parcels += 1
        events.extend(_travel(plan, people, orders, number, random.random(12)))
    happened = [event for event in events if event[0] < plan.seconds]
    happened.sort(key=lambda event: (event[0], event[2]["tracking_no"] or "", event[2]["event"] or ""))
    times = text_times(pa.array([plan.epoch_s + moment for moment, _, _ in happened], pa.int64())).to_pylist()
    chances = random.random((len(happened), 2))
    for (moment, carrier, row), time, chance in zip(happened, times, chances, strict=True):
        row[C.EVENT_TIME] = f"{time.replace(' ', 'T')}Z"
        parcels.events[row["event"] or ""] += 1
        day = moment // DAY_S
        drop = min(day + int(chance[0] < LATE_SHARE), plan.days - 1)
        parcels.late += drop > day
        parcels.lines[carrier, drop].append(row)
        if chance[1] < 0.01:
            parcels.duplicates += 1
            parcels.lines[carrier, drop].append(row)
    _break_lines(plan, parcels)
    return parcels


def write_parcels(folder: Path, plan: Plan, parcels: Parcels) -> None:
    """Write a file per carrier and day, every second one compressed."""
    for day in range(plan.days):
        name = plan.day_name(day)
        rows = parcels.lines.get((CSV_CARRIER, day), [])
        table = [[row.get(name) for name in CARRIER_FIELDS] if isinstance(row, dict) else [row] for row in rows]
        write_csv(folder / CSV_CARRIER / f"{name}.csv{'.gz' if day % 2 else ''}", CARRIER_FIELDS, table)
        lines = parcels.lines.get((JSON_CARRIER, day), [])
        write_file(folder / JSON_CARRIER / f"{name}.jsonl{'.zst' if day % 2 else ''}", _json_lines(lines))


def _travel(
    plan: Plan, people: People, orders: Orders, number: int, chance: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> Iterator[tuple[int, str, Row]]:
    """Time, carrier and row of everything that happens to one parcel; only known people's addresses are corrected."""
    start, end = int(orders.shipped_s[number]), int(orders.delivered_s[number])
    carrier = CARRIERS[number % 2] if chance[0] < 0.2 else CARRIERS[int(orders.country[number]) % 2]
    is_cancelled = orders.cancelled_s[number] < plan.seconds
    journey = max(end - start, 3600)

    def event(moment: float, kind: str, **details: str | None) -> tuple[int, str, Row]:
        row: Row = {"tracking_no": f"T{number + 1:08d}", C.ORDER_ID: orders.order_id(number), "event": kind}
        return int(moment), carrier, {**row, C.EVENT_TIME: None, **details}

    yield event(start if chance[1] > 0.004 else orders.ordered_s[number] - 900, "handed_over")
    if is_cancelled:
        yield event(orders.cancelled_s[number] + 2 * DAY_S * chance[2] + 3600, "returned")
        return
    yield event(start + journey * 0.3, "in_transit")
    if chance[3] < 0.5:
        yield event(start + journey * 0.6, "in_transit")
    if chance[4] < 0.08:
        yield event(start + journey * 0.8, "failed")
    is_known = orders.account[number] >= 0 or orders.guest[number]
    if is_known and chance[5] < 0.05:
        yield event(start + journey * 0.4, ADDRESS_CORRECTED, **_new_address(people, orders, number, chance[8]))
    if is_known and chance[6] < 0.04:
        phone = make_phone(COUNTRIES[orders.country[number]], int(chance[9] * 1000))
        yield event(start + journey * 0.5, PHONE_CORRECTED, phone=phone)
    if chance[7] < 0.02:
        yield event(end + DAY_S, "returned")
    else:
        yield event(end if chance[10] > 0.004 else start - 600, "delivered")


def _new_address(people: People, orders: Orders, number: int, chance: float) -> Row:
    account = int(orders.account[number])
    country = COUNTRIES[orders.country[number]]
    return {
        C.FULL_NAME: people.names[account] if account >= 0 else "Guest Invented",
        C.STREET: f"{STREETS[int(chance * len(STREETS))]} {200 + int(chance * 700)}",
        C.CITY: f"New {CITIES[country]}",
        C.POSTCODE: str(10_000 + int(chance * 80_000)),
        C.COUNTRY: country,
    }


def _break_lines(plan: Plan, parcels: Parcels) -> None:
    """One malformed line of every kind per carrier and day."""
    for day in range(plan.days):
        for carrier in CARRIERS:
            number = f"T9{day:04d}{carrier[0]}"
            good: Row = {
                "tracking_no": number,
                C.ORDER_ID: "O00000001",
                "event": "in_transit",
                C.EVENT_TIME: f"{plan.day_name(day)}T12:00:00Z",
            }
            broken: list[Row | str] = [
                {**good, "event": "teleported"},
                {**good, C.EVENT_TIME: "soon"},
                {**good, "tracking_no": None},
                f"{number} lost in the mail",
            ]
            parcels.lines[carrier, day].extend(broken)
            parcels.malformed.update(MALFORMED)


def _json_lines(rows: list[Row | str]) -> Iterator[bytes]:
    for row in rows:
        if isinstance(row, str):
            yield f"{row}\n".encode()
        else:
            yield json.dumps({name: value for name, value in row.items() if value is not None}).encode() + b"\n"
