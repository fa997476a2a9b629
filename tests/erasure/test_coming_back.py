"""Nothing brings back who was erased: no copy of tables put back from a backup, no list or package made later."""

import base64
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import zstandard

from jobs.erasure import runs
from jobs.erasure.outcomes import ERASED, PARTLY
from jobs.erasure.restored import find_restored
from jobs.erasure.runs import erase
from jobs.erasure.verifying import verify
from jobs.exports import register
from jobs.exports.acknowledgements import acknowledge
from jobs.exports.packages import export_partner
from jobs.exports.pair.packages import export_list
from jobs.exports.partners import Partner
from jobs.people.holds import place_hold, release_hold
from jobs.privacy import tombstones
from jobs.privacy.emails import PROFILES
from jobs.privacy.export_rules import ExportRules
from jobs.privacy.keyring import open_keyring
from jobs.privacy.pair.commutative import derive_scalar, encrypt
from jobs.privacy.pair.keys import find_own_key
from jobs.privacy.pair.match_keys import make_seed
from tests.exports.pair.publisher import make_secret, read_lines
from tests.exports.people import share

from . import small
from .bytes_below import find_below
from .conftest import ask

ZONES = ("landing", "quarantine", "vault", "lake")
NEWS = Partner("news-fr", ("all",), kind="pair", format="csv")
ADNET = Partner("adnet-eu", ("all",), format="csv", minimum_segment=1)
SENT_ON = date(2024, 3, 31)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(runs, "PAUSE_SECONDS", 0)


def own(lake):
    return small.values_of("ada") | {small.subject(lake, "ada")}


def erase_ada(lake):
    return erase(lake, [ask(small.subject(lake, "ada"))])


def restore(lake, backup, *tables):
    """Put tables back as they were, their logs included; a table that the backup lacks stays."""
    for table in tables:
        shutil.rmtree(lake.location(table), ignore_errors=True)
        shutil.copytree(backup.location(table), lake.location(table))


def erase_again(lake):
    (outcome,) = erase(lake, [find_restored(lake)]).outcomes
    return outcome.state


def test_a_backup_of_all_zones_is_noticed_and_erased_again_without_an_address(lake, template):
    done = erase_ada(lake)
    orders = sorted(map(repr, lake.read_records("lake.orders")))
    assert find_restored(lake) is None
    tables = [name for name in lake.contracts if name.startswith(ZONES) and template.exists(name)]
    restore(lake, template, *tables)
    assert len({finding.file.split("/")[0] for finding in verify(lake, done.certificates[0]).checked.findings}) == 4
    assert find_restored(lake).subject_ids == {small.subject(lake, "ada")}
    assert erase_again(lake) == ERASED
    assert find_below(lake.home, own(lake)) == set()
    assert sorted(map(repr, lake.read_records("lake.orders"))) == orders
    assert verify(lake, done.certificates[0]).checked.is_clean
    assert find_restored(lake) is None


@pytest.mark.parametrize(
    "table", ["vault.customers", "vault.identities", "lake.subjects", "lake.clicks", "lake.orders"]
)
def test_a_backup_of_one_table_is_enough_to_tell(lake, template, table):
    certificate = erase_ada(lake).certificates[0]
    restore(lake, template, table)
    erase_again(lake)
    assert find_below(lake.home, own(lake)) == set()
    assert verify(lake, certificate).checked.is_clean


def test_who_was_never_erased_is_not_taken_for_restored(lake):
    assert find_restored(lake) is None
    erase_ada(lake)
    assert find_restored(lake) is None
    assert small.subject(lake, "ben") in {row["subject_id"] for row in lake.read_records("lake.subjects")}


def test_what_a_hold_keeps_stays_when_a_backup_is_cleaned(lake, template):
    hold = place_hold(lake, reason="tax audit", order_ids=["O-4711-001"])
    assert erase_ada(lake).outcomes[0].state == PARTLY
    restore(lake, template, "vault.customers", "lake.orders")
    assert erase_again(lake) == PARTLY
    held = [
        row["order_id"] for row in lake.read_records("lake.orders") if row["subject_id"] == small.subject(lake, "ada")
    ]
    assert held == ["O-4711-001"]
    assert [row["full_name"] for row in lake.read_records("vault.customers")] == [small.NAMES["ben"]]
    release_hold(lake, hold.hold_id)
    assert erase_again(lake) == ERASED
    assert find_below(lake.home, own(lake)) == set()


def test_whoever_opened_a_new_account_is_not_taken_for_restored(lake, template):
    erase_ada(lake)
    since = datetime.now(UTC) + timedelta(days=1)
    tombstones.lift_tombstones(lake, {tombstones.SUBJECT: {small.subject(lake, "ada"): since}})
    restore(lake, template, "vault.customers")
    assert find_restored(lake) is None


def make_adults(lake):
    rows = lake.read_records("lake.subjects")
    small.fill(lake, "lake.subjects", [{**row, "adult_from": date(2000, 1, 1)} for row in rows])


def point_of(lake, who, secret):
    """The encrypted identifier of a list, made anew."""
    digest = PROFILES["pair"].digest_text(PROFILES["pair"].normalise_text(small.EMAILS[who]))
    scalar = derive_scalar(find_own_key(open_keyring(lake.settings), NEWS.name, SENT_ON, may_make=False).secret)
    return base64.b64encode(encrypt(make_seed(digest, secret), scalar)).decode()


def test_a_list_for_a_pair_exchange_goes_and_the_next_is_without_them(lake):
    secret = make_secret()
    make_adults(lake)
    share(lake, secret)
    export_list(lake, NEWS, SENT_ON, rules=ExportRules(), minimum=2)
    folder = Path(lake.home, "exports", NEWS.name)
    ada, ben = (point_of(lake, who, secret) for who in ("ada", "ben"))
    assert sorted(read_lines(folder / str(SENT_ON) / "pair_identifiers-0000.csv")) == sorted([ada, ben])
    done = erase_ada(lake)
    assert [each["package"] for each in done.certificates[0]["packages"]] == [f"{NEWS.name}/{SENT_ON}"]
    assert not (folder / str(SENT_ON)).exists()
    (entry,) = register.list_entries(lake, NEWS.name)
    assert entry["withdrawn_at"] is not None
    later = SENT_ON + timedelta(days=1)
    export_list(lake, NEWS, later, rules=ExportRules(), minimum=1)
    assert read_lines(folder / str(later) / "pair_identifiers-0000.csv") == [ben]
    assert find_below(lake.home, own(lake) | {ada}) == set()
    assert verify(lake, done.certificates[0]).checked.is_clean


def lines_of(lake, day, kind):
    files = Path(lake.home, "exports", ADNET.name, str(day)).glob(f"{kind}-*.csv.zst")
    texts = (zstandard.ZstdDecompressor().decompressobj().decompress(file.read_bytes()).decode() for file in files)
    return sorted(line.split(",")[0] for text in texts for line in text.splitlines()[1:])


def test_the_next_package_tells_their_removal_once_and_no_later_one_adds_them(lake, template):
    make_adults(lake)
    days = [SENT_ON - timedelta(days=3 - number) for number in range(4)]
    export_partner(lake, ADNET, days[0], rules=ExportRules())
    acknowledge(lake, ADNET.name, days[0])
    added = lines_of(lake, days[0], "additions")
    assert len(set(added)) == len(added) == 2
    certificate = erase_ada(lake).certificates[0]
    assert certificate["partners"] == {ADNET.name: 1}
    export_partner(lake, ADNET, days[1], rules=ExportRules())
    (ada,) = lines_of(lake, days[1], "removals")
    assert ada in added
    assert ada not in lines_of(lake, days[1], "additions")
    verdict = verify(lake, certificate)
    assert verdict.checked.is_clean
    assert verdict.checked.pending > 0
    acknowledge(lake, ADNET.name, days[1])
    assert find_below(lake.home, own(lake) | {ada}) == set()
    assert verify(lake, certificate).checked.pending == 0
    for table in ("vault.identities", "vault.customers"):
        restore(lake, template, table)
    assert erase_again(lake) == ERASED
    for day in days[2:]:
        export_partner(lake, ADNET, day, rules=ExportRules())
        told = lines_of(lake, day, "removals") + lines_of(lake, day, "additions")
        assert len(set(told)) == len(told)
        assert set(told) <= set(added) - {ada}
    assert find_below(lake.home, own(lake) | {ada}) == set()
