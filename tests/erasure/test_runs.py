"""Runs of erasure over a small lake: what they do, what they refuse, and what becomes of them when they die."""

import json
import shutil
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from jobs.erasure import certificates, journal, planning, runs
from jobs.erasure.outcomes import ERASED, HELD, PARTLY, UNKNOWN
from jobs.erasure.runs import erase, finish_runs
from jobs.erasure.verifying import verify
from jobs.errors import KeyRingError, SophiluxError, UsageError
from jobs.lake import Days
from jobs.people.finding import find_people
from jobs.people.holds import place_hold, release_hold

from . import small
from .bytes_below import find_below
from .conftest import ask


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(runs, "PAUSE_SECONDS", 0)


def ada(lake, name="request-1", **options):
    return ask(small.subject(lake, "ada"), name=name, **options)


def own(lake):
    return small.values_of("ada") | {small.subject(lake, "ada")}


def rows_of(lake, tables=("vault.customers", "lake.clicks", "lake.orders", "landing.clickstream", "quarantine.clicks")):
    return {table: Counter(map(repr, lake.read_records(table))) for table in tables}


def test_ada_is_gone_and_ben_is_as_he_was(lake):
    before = rows_of(lake)
    done = erase(lake, [ada(lake)])
    assert [(o.state, o.reason) for o in done.outcomes] == [(ERASED, None)]
    assert find_below(lake.home, own(lake)) == set()
    for table, rows in rows_of(lake).items():
        kept = Counter({row: n for row, n in before[table].items() if not _names(row, own(lake))})
        assert rows >= kept
        assert sum(rows.values()) == (3 if table == "lake.orders" else sum(kept.values())), table


def _names(row, values):
    return any(value.lower() in row.lower() for value in values)


def test_several_requests_are_one_run_with_one_certificate(lake):
    asked = [ada(lake), ada(lake, "again"), ask(small.subject(lake, "ben"), name="ben"), ask("f" * 32, name="nobody")]
    done = erase(lake, asked)
    assert [o.state for o in done.outcomes] == [ERASED, ERASED, ERASED, UNKNOWN]
    assert len({o.run_id for o in done.outcomes}) == len(done.certificates) == 1
    assert done.certificates[0]["people"] == 3
    assert find_below(lake.home, small.values_of("ada") | small.values_of("ben")) == set()


def test_an_address_alone_finds_the_person(lake):
    done = erase(lake, [ask(name="by-hand", addresses=["ADA.birkenfeld@SHOP.example"])])
    assert [o.state for o in done.outcomes] == [ERASED]
    assert find_below(lake.home, own(lake)) == set()


def test_what_nobody_can_be_is_refused_and_changes_nothing(lake):
    before = rows_of(lake)
    with pytest.raises(UsageError, match="no e-mail addresses"):
        erase(lake, [ask(name="by-hand", addresses=["ada at shop"])])
    assert rows_of(lake) == before
    assert not lake.exists(journal.LEDGER)


def test_a_hold_on_the_person_keeps_everything(lake):
    place_hold(lake, reason="court file 12", subject_ids=[small.subject(lake, "ada")])
    before = rows_of(lake)
    done = erase(lake, [ada(lake), ask(small.subject(lake, "ben"), name="ben")])
    assert [o.state for o in done.outcomes] == [HELD, ERASED]
    assert "court file 12" in done.outcomes[0].reason
    assert done.outcomes[0].run_id is None
    after = rows_of(lake)
    assert all(n <= after[table][row] for table in before for row, n in before[table].items() if "Ada" in row)
    assert erase(lake, [ada(lake)]).certificates == ()


def test_a_hold_on_an_order_keeps_the_order_until_it_is_released(lake):
    hold = place_hold(lake, reason="tax audit", order_ids=["O-4711-001"])
    done = erase(lake, [ada(lake)])
    assert [o.state for o in done.outcomes] == [PARTLY]
    assert "tax audit" in done.outcomes[0].reason
    orders = {row["order_id"]: row["subject_id"] for row in lake.read_records("lake.orders")}
    assert orders["O-4711-001"] == small.subject(lake, "ada")
    assert "O-4711-002" not in orders
    assert "lake.orders" in done.certificates[0]["held"]
    assert verify(lake, done.certificates[0]).checked.held > 0
    release_hold(lake, hold.hold_id)
    again = erase(lake, [ada(lake, "again")])
    assert [o.state for o in again.outcomes] == [ERASED]
    assert find_below(lake.home, own(lake)) == set()


def test_a_hold_excuses_the_files_it_keeps_and_no_other_beside_them(lake):
    place_hold(lake, reason="tax audit", order_ids=["O-4711-001"])
    (certificate,) = erase(lake, [ada(lake)]).certificates
    assert verify(lake, certificate).checked.is_clean
    kept = next(
        path for path in Path(lake.location("lake.orders")).rglob("*.parquet") if "_delta_log" not in path.parts
    )
    stray = kept.with_name("part-of-no-version.parquet")
    shutil.copy(kept, stray)
    found = {finding.file for finding in verify(lake, certificate).checked.findings}
    assert found == {str(stray.relative_to(lake.home))}


def test_a_hold_on_a_period_keeps_what_lies_in_it(lake):
    place_hold(lake, reason="inspection", days=Days.single(small.DAY), tables=["lake.clicks"])
    done = erase(lake, [ada(lake)])
    assert [o.state for o in done.outcomes] == [PARTLY]
    places = {path.split("/w-")[0] for path, _ in find_below(lake.home, own(lake))}
    assert places == {"lake/clicks"}


def test_a_hold_on_others_keeps_nothing(lake):
    place_hold(lake, reason="court file 12", subject_ids=[small.subject(lake, "ben")])
    assert [o.state for o in erase(lake, [ada(lake)]).outcomes] == [ERASED]
    assert find_below(lake.home, own(lake)) == set()


PLANTED = {
    "a stray file": "backup.txt",
    "a packed one in a folder": "old/backup.json.gz",
    "a file of a zone without a table": "landing/old/part.csv",
    "a name of a file": "notes/O-4711-002.txt",
}


@pytest.mark.parametrize("place", PLANTED.values(), ids=PLANTED)
def test_what_is_no_part_of_the_lake_is_told_and_the_run_finishes_once_it_is_gone(lake, place):
    import gzip

    path = Path(lake.home, place)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = f'{{"to": "{small.EMAILS["ada"]}"}}'.encode()
    path.write_bytes(gzip.compress(content) if place.endswith(".gz") else content if "notes" not in place else b"")
    with pytest.raises(SophiluxError, match="places still hold") as caught:
        erase(lake, [ada(lake)])
    assert place.split("/")[0] in str(caught.value)
    assert not _names(str(caught.value), own(lake) - {"O-4711-002"})
    (run,) = lake.read_records(journal.LEDGER)
    assert (run["state"], run["finished_at"]) == (journal.FORGOTTEN, None)
    path.unlink()
    (outcome,) = finish_runs(lake)
    assert (outcome.request_id, outcome.state) == ("request-1", ERASED)
    assert find_below(lake.home, own(lake)) == set()


def test_rows_that_come_in_while_it_runs_go_in_a_further_round(lake, monkeypatch):
    """Somebody who was faster than the tombstones commits rows after the tables were swept."""
    original, calls = runs.tables.sweep, []

    def race(*args):
        done = original(*args)
        if not calls:
            small.fill(lake, "vault.customers", kept)
        calls.append(1)
        return done

    kept = lake.read_records("vault.customers")
    monkeypatch.setattr(runs.tables, "sweep", race)
    done = erase(lake, [ada(lake)])
    assert len(calls) == 2
    assert find_below(lake.home, own(lake)) == set()
    swept = {entry["table"]: entry["rows"] for entry in done.certificates[0]["tables"]}
    assert swept["vault.customers"] == 2


def test_a_run_of_another_ring_is_told(lake, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(runs, "bury", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            erase(lake, [ada(lake)])
    lake.settings.keyring.unlink()
    with pytest.raises((KeyRingError, SophiluxError), match="backup"):
        finish_runs(lake)


def test_a_clock_that_was_set_back_does_not_turn_the_journal_round(lake, monkeypatch):
    first = erase(lake, [ada(lake)])

    class Earlier(datetime):
        @classmethod
        def now(cls, tz=None):  # noqa: ARG003
            return datetime(2020, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(journal, "datetime", Earlier)
    second = erase(lake, [ask(small.subject(lake, "ben"), name="ben")])
    times = [datetime.fromisoformat(c["finished_at"]) for c in (*first.certificates, *second.certificates)]
    assert times[0] < times[1]
    assert [row["run_id"] for row in certificates.list_kept(lake)] == [
        o.run_id for o in (*second.outcomes, *first.outcomes)
    ]
    assert find_below(lake.home, small.values_of("ada") | small.values_of("ben")) == set()


def test_nobody_is_erased_before_what_steps_have_done(lake, monkeypatch):
    """Else an account would be newer than its erasure, and whoever opened it welcome again."""
    latest = datetime.now(UTC) + timedelta(days=3)
    run = {"run_id": "r", "step": "conform.customers", "first_day": small.DAY, "last_day": small.DAY, "seconds": 1.0}
    lake.record("ledger.step_runs", [{"day": latest.date(), **run, "finished_at": latest, "state": "done"}])
    erase(lake, [ada(lake)])
    assert {row["erased_at"] > latest for row in lake.read_records("ledger.tombstones")} == {True}


def test_a_hold_on_all_time_keeps_every_row_of_theirs(lake):
    before = rows_of(lake)
    hold = place_hold(lake, reason="inspection", days=Days(date(2000, 1, 1), date(2040, 1, 1)), tables=list(before))
    done = erase(lake, [ada(lake)])
    assert [(o.state, "inspection" in o.reason) for o in done.outcomes] == [(PARTLY, True)]
    assert rows_of(lake) == before
    assert set(done.certificates[0]["held"]) >= set(before)
    assert verify(lake, done.certificates[0]).checked.is_clean
    (kept,) = lake.read_records(journal.LEDGER)
    assert kept["sealed"] is not None
    release_hold(lake, hold.hold_id)
    assert [o.state for o in erase(lake, [ada(lake, "again")]).outcomes] == [ERASED]
    assert find_below(lake.home, own(lake)) == set()
    assert [row["sealed"] for row in lake.read_records(journal.LEDGER)] == [None, None]
    assert len(lake.history(journal.LEDGER)) == 1


@pytest.mark.parametrize(
    ("asked", "states"), [([("ada",), ("ben",)], [PARTLY, ERASED]), ([("ada", "ben")], [PARTLY])], ids=["two", "one"]
)
def test_what_is_remembered_of_whom_a_hold_keeps_is_of_them_alone(lake, asked, states):
    """Also where one request is about two people."""
    place_hold(lake, reason="tax audit", order_ids=["O-4711-001"])
    done = erase(lake, [ask(*(small.subject(lake, name) for name in names), name=names[0]) for names in asked])
    assert [o.state for o in done.outcomes] == states
    (person,) = journal.list_held(lake)
    assert (person.names, person.phones) == ({small.NAMES["ada"]}, {small.PHONES["ada"]})


@pytest.mark.parametrize(("spared", "kept"), [(["request-1"], 2), ([], 0)])
def test_a_run_of_before_that_was_written_down_remembers_everybody_a_hold_may_keep(lake, spared, kept):
    people = tuple(find_people(lake, subject_ids=[small.subject(lake, name) for name in ("ada", "ben")]))
    run = journal.Run("r", journal.CERTIFIED, datetime.now(UTC), people, (), {"spared": spared})
    assert planning.list_spared(run) == people[:kept]
    assert len(people) == 2


def test_an_unwritable_folder_is_told_and_the_next_run_finishes(lake, monkeypatch):
    """As root may do anything, the file system says no instead of the folder."""
    from jobs.lake import history

    original = history._remove

    def refuse(table, location, files):
        if table == "lake.clicks":
            message = f"{table}: 1 of 1 old files could not be removed; make the folder writable and run it again."
            raise SophiluxError(message)
        original(table, location, files)

    with monkeypatch.context() as patch:
        patch.setattr(history, "_remove", refuse)
        with pytest.raises(SophiluxError, match="make the folder writable"):
            erase(lake, [ada(lake)])
    assert find_below(lake.home, own(lake))
    (outcome,) = finish_runs(lake)
    assert outcome.state == ERASED
    assert find_below(lake.home, own(lake)) == set()


def test_somebody_with_ten_thousand_orders_is_erased(tmp_path, engine, contracts):
    from jobs.settings import load_settings

    orders = {"ada": tuple(f"O-4711-{n:05}" for n in range(10_000)), "ben": small.ORDERS["ben"]}
    lake = small.build(load_settings(str(tmp_path / "shop")), engine, contracts, orders=orders)
    done = erase(lake, [ada(lake)])
    swept = {entry["table"]: entry["rows"] for entry in done.certificates[0]["tables"]}
    assert swept["lake.orders"] == swept["lake.order_lines"] == 10_000
    assert verify(lake, done.certificates[0]).checked.is_clean
    assert find_below(lake.home, own(lake)) == set()


def test_a_restored_backup_is_noticed_and_erased_again(lake, tmp_path):
    shutil.copytree(lake.location("vault.customers"), tmp_path / "backup")
    first = erase(lake, [ada(lake)])
    shutil.rmtree(lake.location("vault.customers"))
    shutil.copytree(tmp_path / "backup", lake.location("vault.customers"))
    verdict = verify(lake, first.certificates[0])
    assert {finding.file.split("/w-")[0] for finding in verdict.checked.findings} == {"vault/customers"}
    erase(lake, [ada(lake, "again")])
    assert verify(lake, first.certificates[0]).checked.is_clean


def test_a_new_account_is_told_apart(lake):
    from jobs.privacy import tombstones

    done = erase(lake, [ada(lake)])
    subject = small.subject(lake, "ada")
    tombstones.lift_tombstones(lake, {tombstones.SUBJECT: {subject: datetime.now(UTC) + timedelta(days=1)}})
    assert verify(lake, done.certificates[0]).returned == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: {**d, "people": 2}, "somebody changed it"),
        (lambda d: {**d, "tables": []}, "somebody changed it"),
        (lambda d: {**d, "signature": {**d["signature"], "value": "AAAA"}}, "somebody changed it"),
        (lambda d: {**d, "signature": {**d["signature"], "public_key": "x"}}, "signed with another key"),
    ],
)
def test_a_certificate_that_was_changed_does_not_hold(lake, change, message):
    document = dict(erase(lake, [ada(lake)]).certificates[0])
    with pytest.raises(SophiluxError, match=message):
        verify(lake, change(document))


@pytest.mark.parametrize("text", ["", "no json", "[]", "{}", '{"run_id": "x"}', "[" * 100_000])
def test_what_is_no_certificate_is_refused(text):
    with pytest.raises(UsageError, match="no certificate"):
        certificates.read(text)


def test_certificates_are_found_by_run_and_as_files(lake, tmp_path):
    done = erase(lake, [ada(lake)])
    file = tmp_path / "certificate.json"
    file.write_text(certificates.write(done.certificates[0]))
    by_run = certificates.find(lake, done.outcomes[0].run_id)
    assert certificates.find(lake, str(file)) == by_run == json.loads(file.read_text())
    with pytest.raises(UsageError, match=f"latest runs: {done.outcomes[0].run_id}"):
        certificates.find(lake, "0123456789abcdef")
