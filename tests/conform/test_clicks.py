import hmac
import json
import struct
from collections import Counter
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
import xxhash
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from jobs.conform import clicks, visits
from jobs.lake import Days
from jobs.privacy.keyring import SUBJECT, KeyRing

DAY = date(2026, 3, 2)
NEXT_DAY = date(2026, 3, 3)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def event(at=NOON, **fields):
    """One event's line; a field given as None is left out."""
    base = {"time": at.isoformat().replace("+00:00", "Z"), "visitor": "v1", "action": "view", "product": "P1"}
    return json.dumps({name: value for name, value in {**base, **fields}.items() if value is not None})


def land(lake, drops, defects=None):
    """Put lines into landing: ``{day: [line, …]}``; ``defects`` names those that came damaged."""
    defects = defects or {}
    rows = [
        {"pull_day": day, "source": f"{day}/f.jsonl", "line_no": number, "raw": line, "defect": defects.get(line)}
        for day, lines in drops.items()
        for number, line in enumerate(lines, 1)
    ]
    batch = pa.Table.from_pylist(rows, lake.contracts["landing.clickstream"].arrow_schema())
    lake.replace_batches("landing.clickstream", batch.to_reader(), partitions=[str(day) for day in drops])


def conform(lake, *lines, day=DAY):
    land(lake, {day: lines})
    return clicks.run(lake, Days.single(day))


def rows_of(lake, table="lake.clicks"):
    return lake.read(table).collect()


def reasons(lake):
    return Counter(row.reason for row in rows_of(lake, "quarantine.clicks"))


def test_an_event_becomes_a_typed_row(lake):
    line = event(email=" Jane@Example.COM", dwell_ms=1200, scroll_pct=55.5, response_ms="80", error="E42", app="app-7",
                 country="DE", url="https://shop.example/p/P1?utm=x", search="red mug", user_agent="Mozilla/5.0 (iPhone)")  # fmt: skip
    report = conform(lake, line)
    assert (report.rows_in, report.rows_out, report.duplicates, report.quarantined) == (1, 1, 0, 0)
    (row,) = rows_of(lake)
    key = KeyRing(lake.settings.keyring).key(SUBJECT).secret
    assert row.subject_id == hmac.new(key, b"jane@example.com", "sha256").hexdigest()[:32]
    assert (row.day, row.event_time.replace(tzinfo=UTC), row.action, row.product_id) == (DAY, NOON, "view", "P1")
    assert (row.dwell_ms, row.scroll_pct, row.response_ms) == (1200, 55.5, 80)
    assert (row.error_code, row.app_id, row.country, row.device) == ("E42", "app-7", "DE", "mobile")
    assert (row.page_path, row.search_text, row.flag, row.pull_day) == ("/p/P1", "red mug", None, DAY)


def test_one_person_written_two_ways_is_one_subject(lake):
    conform(lake, event(email="Jane.Doe+x@GMail.com"), event(email="janedoe@googlemail.com", product="P2"))
    assert len({row.subject_id for row in rows_of(lake)}) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{broken", clicks.NOT_AN_EVENT),
        ('"text"', clicks.NOT_AN_EVENT),
        (event()[:-9], clicks.NOT_AN_EVENT),
        (event(time="yesterday"), clicks.BAD_TIME),
        (event(time="2026"), clicks.BAD_TIME),
        (event(time=None), clicks.BAD_TIME),
        (event(at=NOON - timedelta(days=40)), clicks.STRAY_TIME),
        (event(at=NOON + timedelta(days=3)), clicks.STRAY_TIME),
        (event(action="teleport"), clicks.UNKNOWN_ACTION),
        (event(action=None), clicks.UNKNOWN_ACTION),
        (event(visitor=None), clicks.NOBODY),
        (event(email="not an address"), clicks.BAD_EMAIL),
        (event(product="jane@example.com"), clicks.BAD_PRODUCT),
        (event(product="4111111111111111"), clicks.BAD_PRODUCT),
        (event(product="P-4111 1111:1111 1111/7"), clicks.BAD_PRODUCT),
        (event(visitor=""), clicks.NOBODY),
        (event(visitor=" \u3000", email=""), clicks.NOBODY),
        (event(action=""), clicks.UNKNOWN_ACTION),
        ('{"visitor": "", "email": " "}', clicks.NOT_AN_EVENT),
    ],
)
def test_a_line_that_breaks_a_rule_is_kept_with_its_reason(lake, line, reason):
    report = conform(lake, line, event())
    assert (report.rows_in, report.rows_out, report.quarantined) == (2, 1, 1)
    (reject,) = rows_of(lake, "quarantine.clicks")
    assert (reject.reason, reject.raw, reject.source, reject.position) == (reason, line, f"{DAY}/f.jsonl", "1")


def test_a_line_that_came_damaged_keeps_the_defect_as_reason(lake):
    land(lake, {DAY: [event()]}, {event(): "not UTF-8"})
    clicks.run(lake, Days.single(DAY))
    assert reasons(lake) == {"not UTF-8": 1}


def test_cards_and_addresses_in_urls_and_searches_are_masked(lake):
    conform(
        lake,
        event(search="pay 4111 1111 1111 1111 for jane@example.com", url="https://s.example/u/jane%40example.com/4111111111111111?c=1"),
        event(product="P2", search="order 12 4111-1111-1111-1111 34", url="/plain"),
    )  # fmt: skip
    found = {row.product_id: (row.search_text, row.page_path) for row in rows_of(lake)}
    assert found["P1"] == ("pay [card] for [email]", "/u/[email]/[card]")
    assert found["P2"][0] == "order [card]"


@pytest.mark.parametrize(
    "value",
    ["4111111111111111", "x4111-1111-1111-1111", "jane@example.com", "jane%40example.com", "", " ", "two\nlines"],
)
def test_codes_that_hold_personal_data_or_nothing_are_nothing(lake, value):
    assert conform(lake, event(error=value, app=value, country=value)).rows_out == 1
    (row,) = rows_of(lake)
    assert (row.error_code, row.app_id, row.country) == (None, None, None)


def test_a_country_is_a_code_or_a_known_name(lake):
    names = ["de", "United Kingdom", "Jane Doe"]
    conform(lake, *(event(country=name, product=name[:1]) for name in names))
    assert {row.product_id: row.country for row in rows_of(lake)} == {"d": "DE", "U": "United Kingdom", "J": None}


def test_an_article_number_of_thirteen_digits_is_a_product(lake):
    conform(lake, event(product="4000000000006"))
    assert [row.product_id for row in rows_of(lake)] == ["4000000000006"]


def test_blank_fields_are_nothing(lake):
    blank = {"email": "", "product": " ", "url": "\u3000", "search": "", "country": ""}
    conform(lake, event(**blank), event(product=None))
    (row,) = rows_of(lake)
    key = KeyRing(lake.settings.keyring).key(SUBJECT).secret
    assert row.subject_id == hmac.new(key, b"visitor:v1", "sha256").hexdigest()[:32]
    assert (row.product_id, row.page_path, row.search_text, row.country) == (None, None, None, None)


def test_a_late_event_joins_its_own_day(lake):
    conform(lake, event())
    conform(lake, event(product="P2"), event(at=NOON + timedelta(days=1)), day=NEXT_DAY)
    found = Counter((row.day, row.pull_day) for row in rows_of(lake))
    assert found == {(DAY, DAY): 1, (DAY, NEXT_DAY): 1, (NEXT_DAY, NEXT_DAY): 1}


def test_a_duplicate_counts_once_also_when_it_comes_with_a_later_drop(lake):
    assert conform(lake, event(), event()).duplicates == 1
    report = conform(lake, event(), day=NEXT_DAY)
    assert (report.rows_out, report.duplicates) == (0, 1)
    assert [row.pull_day for row in rows_of(lake)] == [DAY]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"url": "/p/P1?utm_campaign=a"}, {"url": "/p/P1?utm_campaign=b"}),
        ({"url": "/p/P1#top"}, {"url": "/p/P1"}),
        ({"url": "https://shop.example/p/P1"}, {"url": "/p/P1"}),
        ({"search": "to jane@example.com"}, {"search": "to jack@example.com"}),
        ({"error": "free text"}, {"error": "other free text"}),
        ({"email": "jane@example.com", "visitor": "v1"}, {"email": "jane@example.com", "visitor": "v2"}),
    ],
)
def test_events_that_differ_in_what_is_not_kept_are_two(lake, one, other):
    report = conform(lake, event(**one), event(**other), event(**one))
    assert (report.rows_out, report.duplicates) == (2, 1)


def test_an_event_delivered_again_in_other_words_is_one(lake):
    line = event(email="jane@example.com", dwell_ms=1, search="")
    again = json.dumps({**json.loads(line), "time": "2026-03-02T13:00:00+01:00", "email": " Jane@Example.com",
                        "dwell_ms": "1", "search": None, "unknown": 1}, sort_keys=True)  # fmt: skip
    assert conform(lake, line, again).duplicates == 1


def test_the_fingerprint_is_a_keyed_digest_of_the_event_as_it_came(lake):
    stated = {"visitor": "v1", "action": "view", "product": "P1", "url": "/p/P1?to=jane@example.com"}
    conform(lake, event(email="jane@example.com", **stated))
    (row,) = rows_of(lake)
    key = KeyRing(lake.settings.keyring).key(SUBJECT).secret
    micros = (NOON - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    others = [stated.get(name, "\x00") for name in clicks.FIELDS if name not in ("time", "email")]
    digest = hmac.new(key, f"event:{chain_hash(row.subject_id, micros, *others)}".encode(), "sha256").hexdigest()[:32]
    assert row.event_id == chain_hash(digest)
    assert "jane" not in str(row)


def chain_hash(*values):
    """The engines' xxHash of several columns: each value's hash is the next one's seed."""
    seed = 42
    for value in values:
        seed = xxhash.xxh64_intdigest(value.encode() if isinstance(value, str) else struct.pack("<q", value), seed)
    return seed - 2**64 if seed >= 2**63 else seed


def test_a_corrected_drop_takes_its_old_rows_back(lake):
    conform(lake, event(), event(product="P2"))
    conform(lake, event(product="P3"))
    assert [row.product_id for row in rows_of(lake)] == ["P3"]
    conform(lake)
    assert rows_of(lake) == rows_of(lake, "lake.sessions") == []


def test_visits_end_after_thirty_minutes(lake):
    minutes = (0, 10, 40, 71)
    conform(lake, *(event(at=NOON + timedelta(minutes=minute), product=f"P{minute}") for minute in minutes))
    visits = sorted((row.started_at.minute, row.clicks, row.products_viewed) for row in rows_of(lake, "lake.sessions"))
    assert visits == [(0, 3, 3), (11, 1, 1)]


def test_traffic_that_does_not_count_is_flagged(lake):
    slow = [event(at=NOON + timedelta(seconds=2 * n), visitor="human") for n in range(100)]
    fast = [event(at=NOON + timedelta(milliseconds=900 * n), visitor="fast") for n in range(70)]
    many = [event(at=NOON.replace(hour=0) + timedelta(seconds=30 * n), visitor="many") for n in range(2001)]
    conform(lake, *slow, *fast, *many, event(visitor="robot", user_agent="NiceBot/1.0"))
    flags = Counter(row.flag for row in rows_of(lake))
    assert flags == {None: 100, visits.TOO_FAST: 70, visits.TOO_MANY: 2001, visits.DECLARED_BOT: 1}


hostile_text = st.text(max_size=30) | st.sampled_from(
    ["a@b.co", "A@B.co ", "4111111111111111", "v1", "view", "", "\x00", "%40", "é@ü.de", "'\"\\"]
)
hostile_value = (
    st.none() | st.booleans() | st.integers() | st.floats() | hostile_text | st.lists(hostile_text, max_size=2)
)
times = st.sampled_from(
    ["2026-03-02T12:00:00Z", "2026-03-01T23:59:59.999Z", "2026-02-30T00:00:00Z", "9999-12-31T00:00:00Z", "0000"]
)
hostile_event = st.dictionaries(st.sampled_from([*clicks.FIELDS, "unknown"]), hostile_value, max_size=8)
plausible_event = st.fixed_dictionaries(
    {"time": times, "visitor": st.sampled_from(["v1", "v2"]), "action": st.sampled_from(["view", "buy", "no"])},
    optional={
        "email": hostile_text,
        "product": hostile_text,
        "url": hostile_text,
        "search": hostile_text,
        "dwell_ms": st.sampled_from([1, "1", 2, 2.5, True, "", None]),
    },
)
few_texts = st.sampled_from(["red mug", "/p/P1?q=1", "/p/P1?q=2", "a@b.co", "4111111111111111", "", "\x00"])
sound_event = st.fixed_dictionaries(
    {
        "time": st.sampled_from(["2026-03-02T12:00:00Z", "2026-03-01T23:59:59.999Z"]),
        "visitor": st.sampled_from(["v1", "v2"]),
        "action": st.sampled_from(["view", "buy"]),
    },
    optional={
        "email": st.sampled_from(["a@b.co", "A@B.co ", "", None]),
        "product": st.sampled_from(["P1", "P2", " "]),
        "url": few_texts,
        "search": few_texts,
        "dwell_ms": st.sampled_from([1, "1", 2, ""]),
    },
)
hostile_line = (
    (hostile_event | plausible_event).map(json.dumps)
    | st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=60)
    | plausible_event.map(lambda fields: json.dumps(fields)[:-5])
)


def as_text(value):
    """A value of JSON as the engine's text; what is blank is nothing."""
    if value is None or isinstance(value, str):
        return value if value and value.strip(" \t\n\v\f\r\x00\x85\u00a0\u2028\u2029\u3000") else None
    return json.dumps(value)


def canonical(line):
    """The event of an understood line, in plain Python: equal for lines that are one event."""
    fields = {name: as_text(value) for name, value in json.loads(line).items() if name in clicks.FIELDS}
    email, visitor = fields.pop("email", None), fields.get("visitor")
    subject = f"email:{email.strip().lower()}" if email else f"visitor:{visitor}"
    stated = {name: value for name, value in fields.items() if value is not None}
    return json.dumps([subject, stated], sort_keys=True)


many_lines = st.lists(hostile_line | sound_event.map(json.dumps), min_size=8, max_size=40)


@given(lines=many_lines.map(lambda lines: lines + lines[:3]))
@example(lines=[])
@example(lines=[event(search="red"), event(search="blue"), event(search="red"), event(search=None), event(search="")])
@hypothesis_settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_lines_in_are_rows_out_plus_duplicates_plus_quarantined(shared_lake, lines):
    report = conform(shared_lake, *lines)
    rows, rejects = rows_of(shared_lake), rows_of(shared_lake, "quarantine.clicks")
    assert report.rows_in == len(lines)
    assert (report.rows_out, report.quarantined) == (len(rows), len(rejects))
    assert report.rows_in == report.rows_out + report.duplicates + report.quarantined
    rejected = Counter(row.raw for row in rejects)
    understood = Counter(lines) - rejected
    assert not rejected - Counter(lines)
    assert len(rows) == len({row.event_id for row in rows}) == len({canonical(line) for line in understood})
    assert all("4111111111111111" not in f"{row.page_path}{row.search_text}{row.product_id}" for row in rows)
    again = conform(shared_lake, *reversed(lines))
    assert (again.rows_out, again.duplicates, again.quarantined) == (
        report.rows_out,
        report.duplicates,
        report.quarantined,
    )
