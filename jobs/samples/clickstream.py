"""Clickstream files of the generated shop: clicks as JSON Lines, with what goes wrong on the way."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.samples.drops import Progress, write_file
from jobs.samples.people import SPELLINGS, People
from jobs.samples.phrases import (
    UNKNOWN_FIELDS,
    Places,
    action_pieces,
    agent_pieces,
    email_pieces,
    number_pieces,
    visitor_pieces,
)
from jobs.samples.plan import DAY_MS, DAY_S, Flags, Numbers, Plan
from jobs.samples.visits import BUY, CART, FAVOURITE, HUMAN, PAGE, VIEW, Clicks
from jobs.samples.words import BOTS, BROWSERS

TOPIC: Final = 5
MALFORMED: Final = (
    "truncated_json",
    "not_json",
    "no_time",
    "bad_time",
    "unknown_action",
    "no_person",
    "bad_email",
    "not_utf8",
)
MALFORMED_SHARE: Final = 0.0003
DUPLICATE_SHARE: Final = 0.005
LATE_SHARE: Final = 0.01
SUFFIXES: Final = ("", ".gz", ".zst")
PART_LINES: Final = 400_000
DWELL_STEP_MS: Final = 20
DWELL_STEPS: Final = 30_000
RESPONSES: Final = 5_000
SCROLLS: Final = 1_001


@dataclass(frozen=True)
class Traffic:
    """The lines of all drops: an event's number, or -1 and below for malformed lines."""

    line: Numbers
    drop: Numbers
    """Day of the drop, from 0."""
    late: int
    duplicates: int
    later_duplicates: int
    malformed: dict[str, int]


@dataclass(frozen=True)
class _Pieces:
    """Per field: the pieces of JSON, and the piece of each event."""

    fields: list[tuple[pa.Array, Numbers]]
    unknown_fields: int
    with_email: Flags


def make_traffic(plan: Plan, clicks: Clicks) -> Traffic:
    """Which line lies in which day's drop, in the order of the files."""
    random = plan.random(TOPIC)
    size = len(clicks.time_ms)
    day = clicks.time_ms // DAY_MS
    drop = day + np.where(random.random(size) < LATE_SHARE, random.choice((1, 1, 2, 3), size), 0)
    drop = np.where(drop < plan.days, drop, day)
    copied = np.sort(random.choice(size, max(2, int(size * DUPLICATE_SHARE)), replace=False))
    copy_drop = np.minimum(drop[copied] + (random.random(len(copied)) < 0.2), plan.days - 1)
    each = max(1, round(size * MALFORMED_SHARE))
    bad = np.arange(each * len(MALFORMED))
    line = np.concatenate([np.arange(size), copied, -1 - bad])
    drops = np.concatenate([drop, copy_drop, random.integers(0, plan.days, len(bad))])
    within = clicks.time_ms % DAY_MS
    place = np.concatenate([within, within[copied] + random.integers(0, 600_000, len(copied)), bad * 997 % DAY_MS])
    order = np.lexsort((np.arange(len(line)), place, drops))
    return Traffic(
        line=line[order],
        drop=drops[order],
        late=int((drop > day).sum()),
        duplicates=len(copied),
        later_duplicates=int((copy_drop > drop[copied]).sum()),
        malformed=dict.fromkeys(MALFORMED, each),
    )


def write_clickstream(
    folder: Path, plan: Plan, people: People, clicks: Clicks, places: Places, progress: Progress
) -> tuple[Traffic, dict[str, int]]:
    """Write every day's drop in parts: plain, gzip, zstandard in turn.

    Returns:
        The lines, and counts that only the text knows.
    """
    traffic = make_traffic(plan, clicks)
    pieces = _make_pieces(plan, people, clicks, places)
    bounds = np.searchsorted(traffic.drop, np.arange(plan.days + 1))
    for day in range(plan.days):
        lines = traffic.line[bounds[day] : bounds[day + 1]]
        parts = max(len(SUFFIXES), -(-len(lines) // PART_LINES))
        for number, part in enumerate(np.array_split(lines, parts)):
            name = f"clicks-{number:02d}.jsonl{SUFFIXES[number % len(SUFFIXES)]}"
            write_file(folder / plan.day_name(day) / name, _lines(plan.day_name(day), people, pieces, part))
        if progress:
            progress(f"clickstream {plan.day_name(day)}: {len(lines)} lines")
    return traffic, {"events_with_email": int(pieces.with_email.sum()), "unknown_field_events": pieces.unknown_fields}


def _lines(day: str, people: People, pieces: _Pieces, part: Numbers) -> Iterator["bytes | pa.Buffer"]:
    """The text of the lines, malformed ones at their places."""
    breaks = np.flatnonzero(part < 0)
    start = 0
    for place in [*breaks.tolist(), len(part)]:
        if place > start:
            yield _join_pieces(pieces, part[start:place])
        if place < len(part):
            yield _malformed_line(day, people, int(-1 - part[place]))
        start = place + 1


def _join_pieces(pieces: _Pieces, events: Numbers) -> pa.Buffer:
    """The events' lines as the one buffer that Arrow joined them into."""
    columns = [texts.take(pa.array(rows[events])) for texts, rows in pieces.fields]
    joined = pc.binary_join_element_wise(*columns, "}\n", "")
    offsets = np.frombuffer(joined.buffers()[1], np.int32)
    first, last = offsets[joined.offset], offsets[joined.offset + len(joined)]
    return joined.buffers()[2].slice(int(first), int(last - first))


def _make_pieces(plan: Plan, people: People, clicks: Clicks, places: Places) -> _Pieces:
    random = plan.random(TOPIC + 100)
    size = len(clicks.time_ms)
    time_ms = clicks.time_ms
    with_email = clicks.logged_in & (clicks.account >= 0)
    spelling = clicks.account * SPELLINGS + random.integers(0, SPELLINGS, size)
    is_app = with_email & (random.random(size) < 0.08)
    highest = int(clicks.visitor.max())
    unknown = np.where(random.random(size) < 0.01, random.integers(1, len(UNKNOWN_FIELDS), size), 0)
    clock = pa.array(np.arange(DAY_S, dtype=np.int32)).cast(pa.time32("s")).cast(pa.string())
    days = pa.array([f'{{"time": "{plan.day_name(day)}T' for day in range(plan.days)])
    fractions = pa.array([f'.{ms:03d}Z"' for ms in range(1000)])
    agents = len(BROWSERS) + len(BOTS)
    fields = [
        (days, time_ms // DAY_MS),
        (clock, time_ms // 1000 % DAY_S),
        (fractions, time_ms % 1000),
        (visitor_pieces(highest), np.where(is_app, highest + 1, clicks.visitor)),
        (email_pieces(people), np.where(with_email, spelling, len(people.spellings))),
        (action_pieces(), clicks.action),
        (places.pieces, places.rows),
        *_measures(random, clicks),
        (agent_pieces(), clicks.country * agents + clicks.agent),
        (pa.array(UNKNOWN_FIELDS), unknown),
    ]
    return _Pieces(fields, int((unknown > 0).sum()), with_email)


def _measures(random: np.random.Generator, clicks: Clicks) -> list[tuple[pa.Array, Numbers]]:
    """Dwell and scroll of people's views, and the response time of everything but purchases."""
    size = len(clicks.action)
    is_read = np.isin(clicks.action, (VIEW, PAGE)) & (clicks.kind == HUMAN) & (random.random(size) < 0.95)
    dwell = np.clip(np.exp(random.normal(9.5, 1.1, size)) / DWELL_STEP_MS, 10, DWELL_STEPS - 1).astype(np.int64)
    scroll = (random.beta(2.0, 1.5, size) * (SCROLLS - 1)).astype(np.int64)
    response = np.clip(np.exp(random.normal(4.5, 0.5, size)), 5, RESPONSES - 1).astype(np.int64)
    is_measured = ~np.isin(clicks.action, (CART, FAVOURITE, BUY)) | (random.random(size) < 0.5)
    return [
        (number_pieces("dwell_ms", np.arange(DWELL_STEPS) * DWELL_STEP_MS), np.where(is_read, dwell, DWELL_STEPS)),
        (number_pieces("scroll_pct", np.round(np.arange(SCROLLS) / 10, 1)), np.where(is_read, scroll, SCROLLS)),
        (number_pieces("response_ms", np.arange(RESPONSES)), np.where(is_measured, response, RESPONSES)),
    ]


def _malformed_line(day: str, people: People, number: int) -> bytes:
    """One of the ways in which a line cannot be understood; the number is unique, so that no two are equal."""
    kind = MALFORMED[number % len(MALFORMED)]
    clock = f"{number % 24:02d}:{number % 60:02d}:{number % 59:02d}.{number % 1000:03d}Z"
    time = f"{day}T{clock}"
    email = people.spellings[number % len(people.spellings)]
    click = {"time": time, "visitor": f"v{number}", "action": "view", "product": "P00001", "response_ms": number}
    if kind == "not_json":
        return f"GET /p/P00001 HTTP/1.1 200 {number}\n".encode()
    if kind == "not_utf8":
        return json.dumps(click).encode().replace(b"P00001", b"P\xff\xfe") + b"\n"
    if kind == "truncated_json":
        return json.dumps({**click, "email": email}).encode()[:-12] + b"\n"
    changes: dict[str, dict[str, object]] = {
        "no_time": {"time": None},
        "bad_time": {"time": f"2024-13-45T{clock}" if number % 2 else "yesterday"},
        "unknown_action": {"action": "teleport"},
        "no_person": {"visitor": None},
        "bad_email": {"visitor": None, "email": email.replace("@", " at ")},
    }
    changed = {**click, **changes[kind]}
    return json.dumps({name: value for name, value in changed.items() if value is not None}).encode() + b"\n"
