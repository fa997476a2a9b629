"""Accounts, orders, lines, returns and parcels of erased people: what may come back, and in which form."""

import json
import shutil
from datetime import UTC, date, datetime, timedelta

import pytest

from jobs.conform import carrier_updates, customers, landing, order_lines, orders, returns
from jobs.lake import Days, Lake
from jobs.people.burying import bury
from jobs.people.finding import find_people
from jobs.privacy.rights.choice_ledger import Choice
from jobs.privacy.rights.choices import FLAGS, apply_choices
from jobs.privacy.severing import PREFIX
from jobs.privacy.subject_ids import subject_digest
from jobs.privacy.tombstones import set_tombstones
from jobs.requests.choices import record_choices
from jobs.settings import load_settings
from tests.conform.landed import DAY, DAYS, customer, land, line, order, rows
from tests.people.erasing import erase_people

ERASED_AT = datetime(2024, 2, 1, 9, tzinfo=UTC)
NEXT = Days.single(DAY + timedelta(days=1))
TABLES = (
    "vault.customers", "vault.identities", "vault.addresses", "lake.subjects", "lake.orders", "lake.order_lines",
    "lake.returns", "lake.parcel_events", "lake.parcels",
)  # fmt: skip
QUARANTINES = tuple(
    f"quarantine.{name}"
    for name in ("customers", "customer_emails", "orders", "order_lines", "returns", "carrier_updates")
)
STEPS = (customers, orders, order_lines, returns, carrier_updates)


def refund(return_id, **fields):
    amounts = {"product_id": "P1", "quantity": "1", "unit_price": "4.25"}
    times = {"returned_at": "2024-01-31 20:00:00", "updated_at": "2024-01-31 20:00:00"}
    return {"return_id": return_id, **amounts, **times, "reason": "too small", **fields}


def update(**fields):
    record = json.dumps({"event": "handed_over", "event_time": "2024-01-31T15:00:00Z", **fields})
    return {"carrier": "swift", "source": "swift/f.jsonl", "raw": record, "record": record}


def number_lines(updates):
    return [{**fields, "line_no": number} for number, fields in enumerate(updates, 1)]


LANDED = {
    "customers": [customer("c1", email="Ann.Lee@GMail.com"), customer("c2", full_name="Bob Ray", phone="+49 2")],
    "customer_emails": [{"customer_id": "c1", "email": "ann@example.org", "updated_at": "2024-01-31 08:00:00"}],
    "orders": [
        order("o1", email="annlee+shop@gmail.com", country=None),
        order("o2", email="c2@example.com"),
        order("o3", email=None, customer_id="c1", ordered_at="2024-01-30 22:10:11"),
        order("o4", email="ann@example.org", status="unheard of"),
    ],
    "order_lines": [line("o1"), line("o1", line_no="2", product_id="P2"), line("o2"), line("o3", line_no=None)],
    "returns": [
        refund("r1", order_id="o1"),
        refund("r2", order_id="o2"),
        refund("r3", email="ann@example.org"),
        refund("r4", customer_id="c1", order_id="o9"),
    ],
    "carrier_updates": number_lines([
        update(tracking_no="TRK1", order_id="o1"),
        update(tracking_no="TRK1", order_id="o1", event="failed", event_time="2024-01-31T17:00:00Z"),
        update(tracking_no="TRK1", order_id="o1", event="in_transit", event_time="2024-01-31T18:00:00Z"),
        update(tracking_no="TRK2", order_id="o2"),
        update(tracking_no="TRK1", order_id="o1", event="phone_corrected", phone="+49 30 777888"),
        update(tracking_no="TRK1", order_id="o1", event="exploded"),
    ]),
}  # fmt: skip


def land_all(lake, landed=LANDED, days=DAYS):
    for table in LANDED:
        land(lake, table, *landed.get(table, ()), days=days)


def conform(lake, days=DAYS, *, steps=STEPS):
    reports = {}
    for step in steps:
        report = step.run(lake, days)
        assert report.rows_in == report.rows_out + report.duplicates + report.quarantined + report.forgotten, step
        reports[step.__name__.rpartition(".")[2]] = report
    return reports


def contents(lake, *others):
    return {table: rows(lake, table) for table in (*TABLES, *QUARANTINES, *others)}


def about_ann(lake, *others):
    """Everything she is called, in what the tables hold as text."""
    text = json.dumps(contents(lake, *others), default=str).lower()
    return [name for name in ("ann", "+49 1", "777888", '"o1"', '"o3"', '"o4"', "trk1", '"r1"', '"c1"') if name in text]


def today(monkeypatch):
    monkeypatch.setattr(landing, "current_day", lambda: date(2024, 2, 1))


@pytest.fixture(scope="module")
def conformed(shared_lake):
    """Everything pulled and conformed."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        today(monkeypatch)
        land_all(shared_lake)
        conform(shared_lake)
    return shared_lake


def copy_lake(lake, folder):
    home = str(folder / "copy")
    for suffix in ("", ".keys"):
        shutil.copytree(f"{lake.home}{suffix}", f"{home}{suffix}")
    return Lake(load_settings(home), lake.engine, lake.contracts)


@pytest.fixture(scope="module")
def after_erasure(conformed, tmp_path_factory):
    lake = copy_lake(conformed, tmp_path_factory.mktemp("after"))
    (ann,) = find_people(lake, addresses=["annlee@gmail.com"])
    assert ann.order_ids == {"o1", "o3", "o4", "o9"}
    erase_people(lake, [ann], ERASED_AT)
    assert about_ann(lake) == []
    return lake


@pytest.fixture
def lake(conformed, tmp_path):
    """A copy of the lake before the erasure."""
    return copy_lake(conformed, tmp_path)


@pytest.fixture
def erased(after_erasure, tmp_path):
    """A copy of the lake where Ann was erased after everything had been pulled."""
    return copy_lake(after_erasure, tmp_path)


def test_what_the_law_keeps_is_kept_without_the_person(erased):
    severed = [row for row in rows(erased, "lake.orders") if row["order_id"].startswith(PREFIX)]
    assert len(severed) == 2
    assert {row["subject_id"] for row in severed} == {None}
    assert {row["ordered_at"] for row in severed} == {datetime(2024, 1, 31), datetime(2024, 1, 30)}  # noqa: DTZ001
    lines = [row for row in rows(erased, "lake.order_lines") if row["order_id"].startswith(PREFIX)]
    assert {row["order_id"] for row in lines} == {row["order_id"] for row in severed}
    assert sum(row["quantity"] * row["unit_price"] for row in lines) == 3 * 2 * lines[0]["unit_price"]


def test_conforming_again_what_landing_still_has_leaves_the_same_rows(erased):
    before = contents(erased)
    reports = conform(erased)
    assert contents(erased) == before
    assert not any(report.forgotten for report in reports.values())


def test_landing_brought_back_from_a_backup_does_not_bring_her_back(erased):
    before, kept = contents(erased), landed_rows(erased)
    land_all(erased)
    reports = conform(erased)
    assert contents(erased) == before
    assert landed_rows(erased) == kept
    forgotten = {"customers": 2, "orders": 3, "order_lines": 3, "returns": 3, "carrier_updates": 5}
    assert {name: report.forgotten for name, report in reports.items()} == forgotten
    conform(erased)
    assert contents(erased) == before


def landed_rows(lake):
    """What landing holds, but for the numbers of rows, which tests give anew."""
    found = {table: rows(lake, f"landing.{table}") for table in LANDED}
    return {table: [{**row, "row_no": 0, "line_no": 0} for row in held] for table, held in found.items()}


def test_late_rows_about_her_are_severed_or_dropped(erased):
    before = contents(erased)
    late = {
        "customers": [customer("c1", email="annlee@gmail.com", updated_at="2024-02-01 08:30:00")],
        "customer_emails": [{"customer_id": "c1", "email": "third@example.org", "updated_at": "2024-02-01 10:00:00"}],
        "orders": [order("o7", email="a.n.n.lee@gmail.com", ordered_at="2024-02-01 11:12:13", updated_at="2024-02-01 11:12:13")],
        "order_lines": [line("o7"), line("o1", line_no="3", product_id="P3")],
        "returns": [refund("r7", order_id="o7", returned_at="2024-02-01 12:00:00")],
        "carrier_updates": number_lines([
            update(tracking_no="TRK7", order_id="o7", event_time="2024-02-01T15:00:00Z"),
            update(tracking_no="TRK7", event_time="2024-02-01T16:00:00Z"),
            update(tracking_no="TRK1", order_id="o1", event="delivered", event_time="2024-02-01T16:00:00Z"),
            update(tracking_no="TRK1", order_id="o1", event="address_corrected", street="Elsewhere 7"),
        ]),
    }  # fmt: skip
    land_all(erased, late, NEXT)
    reports = conform(erased, NEXT)
    assert {name: (r.rows_out, r.quarantined) for name, r in reports.items()} == dict.fromkeys(reports, (0, 0))
    assert about_ann(erased, *(f"landing.{table}" for table in LANDED if table != "products")) == []
    assert '"o7"' not in json.dumps(contents(erased), default=str)
    after = contents(erased)
    for table in ("vault.customers", "vault.identities", "vault.addresses", "lake.subjects", *QUARANTINES):
        assert after[table] == before[table], table
    grown = {table: len(after[table]) - len(before[table]) for table in TABLES if table.startswith("lake.")}
    assert grown == {
        "lake.subjects": 0,
        "lake.orders": 1,
        "lake.order_lines": 2,
        "lake.returns": 1,
        "lake.parcel_events": 2,
        "lake.parcels": 1,
    }
    assert all(row["subject_id"] is None for row in after["lake.orders"] if row["day"] == date(2024, 2, 1))
    conform(erased, NEXT)
    assert contents(erased) == after


def test_an_erasure_that_is_still_at_work_gets_no_second_row_of_one_order(lake):
    """Tombstones are written first, and a step may conform the same days before the orders are severed."""
    (ann,) = find_people(lake, addresses=["annlee@gmail.com"])
    bury(lake, [ann], at=ERASED_AT)
    before = {table: len(rows(lake, table)) for table in TABLES if table.startswith("lake.")}
    land(
        lake,
        "orders",
        order("o1", email="annlee@gmail.com", status="shipped", updated_at="2024-02-01 10:00:00"),
        days=NEXT,
    )
    land(lake, "order_lines", line("o1", quantity="5"), days=NEXT)
    conform(lake)
    conform(lake, NEXT, steps=[orders, order_lines])
    erase_people(lake, [ann], ERASED_AT)
    for table, key in (
        ("lake.orders", "order_id"),
        ("lake.order_lines", "line_id"),
        ("lake.returns", "line_id"),
        ("lake.parcels", "parcel_id"),
        ("lake.parcel_events", "event_id"),
    ):
        names = [row[key] for row in rows(lake, table)]
        assert len(names) == len(set(names)), table
        assert len(names) == before[table], table
    assert about_ann(lake) == []


def account(customer_id, email, *, created, updated=None):
    return customer(customer_id, email=email, created_at=created, updated_at=updated or created, full_name="Ann Anew")


def subjects_of(lake):
    return {row["customer_id"]: row["subject_id"] for row in rows(lake, "vault.identities") if row["is_primary"]}


def test_a_new_account_is_welcome_and_what_follows_with_it(erased):
    land_all(
        erased,
        {
            "customers": [account("c9", "ann.lee@gmail.com", created="2024-02-01 10:00:00")],
            "orders": [
                order(
                    "o8", email="annlee@gmail.com", ordered_at="2024-02-01 09:59:00", updated_at="2024-02-01 09:59:00"
                ),
                order(
                    "o10", email="annlee@gmail.com", ordered_at="2024-02-01 10:01:00", updated_at="2024-02-01 10:01:00"
                ),
            ],
            "order_lines": [line("o10")],
            "carrier_updates": number_lines(
                [
                    update(
                        tracking_no="TRK9",
                        order_id="o10",
                        event="phone_corrected",
                        phone="+49 30 999",
                        event_time="2024-02-01T12:00:00Z",
                    )
                ]
            ),
        },
        NEXT,
    )
    reports = conform(erased, NEXT)
    assert [reports[name].forgotten for name in ("customers", "orders", "order_lines", "carrier_updates")] == [
        0,
        1,
        0,
        0,
    ]
    subject = subjects_of(erased)["c9"]
    mine = [row["order_id"] for row in rows(erased, "lake.orders") if row["subject_id"] == subject]
    assert mine == ["o10"]
    assert {row["phone"] for row in rows(erased, "vault.addresses") if row["subject_id"] == subject} == {
        "+49 1",
        "+49 30 999",
    }
    land_all(erased)
    conform(erased, steps=[customers, orders])
    assert [row["order_id"] for row in rows(erased, "lake.orders") if row["subject_id"] == subject] == ["o10"]
    assert "c1" not in subjects_of(erased)


def test_an_opt_out_before_the_new_account_is_pulled_holds_for_it(erased):
    subject = subject_digest(erased)("annlee@gmail.com")
    asked = [Choice(subject, purpose, True, datetime(2024, 2, 1, 11, tzinfo=UTC)) for purpose in FLAGS]
    record_choices(erased, asked)
    land_all(erased, {"customers": [account("c9", "ann.lee@gmail.com", created="2024-02-01 10:00:00")]}, NEXT)
    for _ in range(2):
        conform(erased, NEXT, steps=[customers])
        subjects = erased.read("lake.subjects").transform(apply_choices, erased.read("ledger.choices"))
        (mine,) = [row for row in subjects.collect() if row.subject_id == subject]
        assert (mine.ads_opt_out, mine.personalisation_opt_out) == (True, True)


def test_whoever_opened_a_new_account_may_be_erased_again(erased):
    land_all(erased, {"customers": [account("c9", "ann.lee@gmail.com", created="2024-02-01 10:00:00")]}, NEXT)
    conform(erased, NEXT, steps=[customers])
    people = find_people(erased, addresses=["annlee@gmail.com"])
    assert people[0].customer_ids == {"c9"}
    erase_people(erased, people, datetime(2024, 2, 2, tzinfo=UTC))
    land_all(erased, {"customers": [account("c9", "ann.lee@gmail.com", created="2024-02-01 10:00:00")]}, NEXT)
    assert conform(erased, NEXT, steps=[customers])["customers"].forgotten == 1
    assert "c9" not in subjects_of(erased)


def test_an_account_of_hers_that_nobody_knew_stays_away_with_its_other_addresses(erased):
    land_all(
        erased,
        {
            "customers": [
                account("c5", "annlee@gmail.com", created="2023-05-01 10:00:00", updated="2024-02-01 12:00:00")
            ],
            "customer_emails": [
                {"customer_id": "c5", "email": "ann.private@example.net", "updated_at": "2023-06-01 10:00:00"}
            ],
            "orders": [order("o5", email=None, customer_id="c5", updated_at="2024-02-01 12:00:00")],
        },
        NEXT,
    )
    reports = conform(erased, NEXT, steps=[customers, orders])
    assert [reports[name].forgotten for name in ("customers", "orders")] == [2, 1]
    assert "ann" not in json.dumps(contents(erased), default=str)


def test_an_account_of_somebody_else_may_take_over_the_address(erased):
    land_all(
        erased,
        {
            "customers": [
                customer("c2", email="annlee@gmail.com", full_name="Bob Ray", updated_at="2024-02-01 12:00:00")
            ]
        },
        NEXT,
    )
    assert conform(erased, NEXT, steps=[customers])["customers"].forgotten == 0
    assert len(subjects_of(erased)) == 1


def test_an_account_number_that_is_given_to_a_new_account_is_welcome(erased):
    land_all(
        erased,
        {
            "customers": [account("c1", "new@example.com", created="2024-02-01 10:00:00")],
            "customer_emails": [
                {"customer_id": "c1", "email": "newer@example.com", "updated_at": "2024-02-01 10:00:00"}
            ],
        },
        NEXT,
    )
    assert conform(erased, NEXT, steps=[customers])["customers"].forgotten == 0
    assert len([row for row in rows(erased, "vault.identities") if row["customer_id"] == "c1"]) == 2


def test_a_damaged_line_with_a_number_of_hers_comes_nowhere(lake, monkeypatch):
    today(monkeypatch)
    digest = subject_digest(lake)
    names = {
        "order": ["O-4711-1"],
        "parcel": ["swift/TRK-08"],
        "return": ["R-0815"],
        "person": [digest("customer:C-1002")],
    }
    set_tombstones(lake, names, at=ERASED_AT)
    theirs = [
        '{"tracking_no": "T-1", "order_id": "O-4711-1", "phone": "+49 30 1", "full_na',
        "TRK-08;Ann Lee;Long Road 1;phone_corrected",
        "return R-0815, Ann Lee",
        "customer=C-1002 street=Long Road 1",
    ]
    others = ["swift;O-4711-12;TRK-081", "Ann Lee, no number", '{"carrier": "O-4711-1", "event": "lost"}']
    lines = [{"carrier": "swift", "source": "f", "raw": raw, "defect": "cut off"} for raw in (*theirs, *others)]
    land(lake, "carrier_updates", *number_lines(lines), {**lines[1], "carrier": "other", "line_no": 99})
    report = carrier_updates.run(lake, DAYS)
    assert (report.quarantined, report.forgotten) == (4, 4)
    left = sorted([*others, theirs[1]])
    assert sorted(row["raw"] for row in rows(lake, "landing.carrier_updates", "raw")) == left
    assert sorted(row["raw"] for row in rows(lake, "quarantine.carrier_updates", "raw")) == left
