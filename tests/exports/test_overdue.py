"""Nobody who may no longer be in an audience waits for a day of clicks that does not come."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from jobs.exports import overdue
from jobs.exports.acknowledgements import acknowledge
from jobs.exports.freshness import CLICKS, PURCHASES, find_whole_day
from jobs.exports.overdue import has_package, list_waiting
from jobs.exports.packages import run
from jobs.exports.partners import load_partners
from jobs.exports.verification import verify_package
from jobs.lake import Days
from jobs.lake.reports import FAILED
from jobs.privacy.keyring import open_keyring
from jobs.privacy.signatures import open_signer

from .conftest import SUBJECTS, fill_subjects
from .reading import folder, ids, make_id, read, read_manifest

FIRST, WHOLE, LATE = date(2024, 3, 1), date(2024, 3, 6), date(2024, 3, 13)
MORNING = time(2, tzinfo=UTC)
PEOPLE = {**SUBJECTS, "neighbour": {"country": "FR"}, "third": {}, "fourth": {}, "fifth": {}}


@pytest.fixture
def late_shop(shop):
    """Clicks are whole up to Wednesday, of Thursday half a day is there; purchases are whole up to the next Wednesday."""
    record(shop, CLICKS, FIRST, WHOLE)
    record(shop, CLICKS, WHOLE + timedelta(1), WHOLE + timedelta(1), at=datetime(2024, 3, 7, 18, tzinfo=UTC))
    record(shop, PURCHASES, FIRST, LATE)
    fill_subjects(shop, PEOPLE)
    known = [("third", "MUG"), ("fourth", "MUG"), ("fifth", "MUG"), ("neighbour", "LAMP")]
    click(shop, *((who, what, date(2024, 3, 2)) for who, what in known))
    return shop


def record(lake, step, first, last, at=None, state=None):
    ended = at or datetime.combine(last + timedelta(days=1), MORNING)
    row = {"day": last, "run_id": f"{step}{last}{ended}", "step": step, "first_day": first, "rows_in": None, "rows_out": 1,
           "duplicates": None, "quarantined": None, "forgotten": None, "warnings": None, "seconds": 1.0, "finished_at": ended,
           "state": state}  # fmt: skip
    lake.record("ledger.step_runs", [row])


def click(lake, *clicks):
    """Clicks, after those of the shop, for the subject, product and day named."""
    rows = [row.asDict() for row in lake.read("lake.clicks").collect()]
    odd = [{**rows[0], "event_id": 100 * len(rows) + n, "session_id": n, "subject_id": who, "product_id": what, "day": day}
           for n, (who, what, day) in enumerate(clicks)]  # fmt: skip
    contract = lake.contracts["lake.clicks"]
    values = [tuple(row.get(name) for name in contract.column_names) for row in [*rows, *odd]]
    lake.replace("lake.clicks", lake.session.createDataFrame(values, contract.engine_schema()))


def partner_of(lake, name):
    return next(partner for partner in load_partners(lake.settings.partners) if partner.name == name)


def test_a_day_is_whole_when_a_run_for_it_ended_after_it(lake):
    assert find_whole_day(lake, CLICKS, LATE) == LATE
    record(lake, CLICKS, FIRST, FIRST, at=datetime.combine(FIRST, MORNING))
    assert find_whole_day(lake, CLICKS, LATE) is None
    record(lake, CLICKS, FIRST, LATE, at=datetime.combine(WHOLE, MORNING))
    assert find_whole_day(lake, CLICKS, LATE) == WHOLE - timedelta(1)
    record(lake, CLICKS, FIRST, LATE + timedelta(9))
    assert [find_whole_day(lake, CLICKS, day) for day in (FIRST, LATE)] == [FIRST, LATE]
    assert find_whole_day(lake, CLICKS, FIRST - timedelta(1)) is None
    record(lake, PURCHASES, FIRST, WHOLE)
    assert find_whole_day(lake, PURCHASES, LATE) == WHOLE


def test_a_day_whose_run_failed_is_not_whole(lake):
    record(lake, CLICKS, FIRST, WHOLE, state=FAILED)
    assert find_whole_day(lake, CLICKS, LATE) is None
    record(lake, CLICKS, FIRST, WHOLE - timedelta(1))
    assert find_whole_day(lake, CLICKS, LATE) == WHOLE - timedelta(1)


def test_who_opts_out_is_removed_at_noon_while_clicks_are_down(late_shop):
    lake = late_shop
    run(lake, Days.single(WHOLE))
    for name in ("adnet-eu", "worldads"):
        assert acknowledge(lake, name, WHOLE)
    adnet = partner_of(lake, "adnet-eu")
    before = ids(lake, "additions", adnet, WHOLE)
    assert make_id(lake, "third", adnet, WHOLE) in before
    fill_subjects(lake, {**PEOPLE, "third": {"ads_opt_out": True}})
    click(lake, ("fourth", "LAMP", WHOLE + timedelta(1)), ("fifth", "LAMP", LATE))
    report = overdue.run(lake, Days.single(LATE))
    assert report.rows_out > 0
    assert ids(lake, "removals", adnet, LATE) == {make_id(lake, "third", adnet, WHOLE)}
    assert ids(lake, "additions", adnet, LATE) == set()
    public_key = open_signer(open_keyring(lake.settings)).public_key
    assert verify_package(folder(lake, adnet, LATE), public_key).failures == []


def test_a_package_without_the_days_clicks_says_so_and_moves_nobody_by_half_a_day(late_shop):
    lake = late_shop
    run(lake, Days.single(WHOLE))
    adnet = partner_of(lake, "adnet-eu")
    first = {row["ad_id"]: row for row in read(lake, "additions", adnet, WHOLE)}
    click(
        lake, *((who, "LAMP", WHOLE + timedelta(1)) for who in ("adult", "second", "third", "neighbour") for _ in "123")
    )
    overdue.run(lake, Days.single(LATE))
    manifest = read_manifest(folder(lake, adnet, LATE))
    assert (manifest["day"], manifest["clicks_until"]) == (str(LATE), str(WHOLE))
    assert manifest["conversions"]["last"] == "2024-03-10"
    assert {row["ad_id"]: row for row in read(lake, "additions", adnet, LATE)} == first
    record(lake, CLICKS, WHOLE + timedelta(1), LATE)
    run(lake, Days.single(LATE))
    assert read_manifest(folder(lake, adnet, LATE))["clicks_until"] == str(LATE)
    assert {row["ad_id"]: row for row in read(lake, "additions", adnet, LATE)} != first


def test_weeks_wait_for_purchases_that_are_late(late_shop):
    lake = late_shop
    run(lake, Days.single(LATE))
    adnet = partner_of(lake, "adnet-eu")
    assert acknowledge(lake, "adnet-eu", LATE)
    overdue.run(lake, Days.single(date(2024, 3, 19)))
    assert read_manifest(folder(lake, adnet, date(2024, 3, 19)))["conversions"] is None
    assert acknowledge(lake, "adnet-eu", date(2024, 3, 19))
    record(lake, PURCHASES, LATE, date(2024, 3, 20))
    run(lake, Days.single(date(2024, 3, 20)))
    told = read_manifest(folder(lake, adnet, date(2024, 3, 20)))["conversions"]
    assert told == {"first": "2024-03-11", "last": "2024-03-17"}


def test_who_has_the_days_package_or_holds_nobody_is_not_overdue(late_shop):
    lake = late_shop
    assert overdue.run(lake, Days.single(LATE)).rows_out == 0
    run(lake, Days.single(WHOLE), part="worldads")
    assert [has_package(lake, "worldads", day) for day in (FIRST, WHOLE, LATE)] == [True, True, False]
    overdue.run(lake, Days.single(LATE))
    assert [has_package(lake, name, LATE) for name in ("adnet-eu", "worldads")] == [False, True]
    waiting = list_waiting(lake, LATE)
    assert "worldads" not in waiting
    assert {"adnet-eu", *waiting, "worldads"} == {*list_waiting(lake, None)}
    before = lake.read_records("ledger.exports")
    assert overdue.run(lake, Days.single(LATE)).rows_out == 0
    assert lake.read_records("ledger.exports") == before
