"""The proof is worth what it notices: one overlooked trace anywhere below the home, and it says where and never whom."""

import shutil
from pathlib import Path

import pytest

from jobs.erasure import checking
from jobs.erasure.runs import erase
from jobs.erasure.verifying import verify
from jobs.lake import Lake
from jobs.settings import load_settings

from . import called, small, survivors
from .bytes_below import find_below
from .conftest import ask


@pytest.fixture(scope="module")
def erased(template, tmp_path_factory):
    """A lake after ada's erasure: with her certificate, and what she and ben are called by person."""
    lake = small.copy_to(template, tmp_path_factory.mktemp("survivors"))
    called.make_keys(lake)
    people = {who: called.trace(lake, who) for who in small.EMAILS}
    (document,) = erase(lake, [ask(small.subject(lake, "ada"))]).certificates
    return lake, document, people


@pytest.fixture
def home(erased, tmp_path):
    """A copy of it to plant in."""
    return Path(small.copy_to(erased[0], tmp_path).home)


def search_twice(lake, document, identifiers):
    """What the run's own search finds, which knows the people, and what the certificate's finds, which does not."""
    known = checking.search(lake, identifiers.build(), checking.expect(lake)).findings
    sealed = verify(lake, document).checked.findings
    assert sorted(map(repr, sealed)) == sorted(map(repr, known))
    return sealed


@pytest.mark.parametrize("plant", survivors.PLACES, ids=lambda plant: plant.__name__)
def test_an_overlooked_trace_is_found_and_its_place_told(erased, home, plant):
    lake, document, people = erased
    copy = Lake(load_settings(str(home)), lake.engine, lake.contracts)
    ada, identifiers = people["ada"]
    ben, _ = people["ben"]
    clean = home.parent / "clean"
    shutil.copytree(home, clean)
    plant(home, ben)
    assert search_twice(copy, document, identifiers) == (), "what is ben's is no trace of ada"
    shutil.rmtree(home)
    clean.rename(home)
    place = plant(home, ada)
    findings = search_twice(copy, document, identifiers)
    assert findings
    inside = str(place.relative_to(home))
    shown = "/".join(part for part in inside.split("/") if ada.order not in part and ada.account not in part)
    assert all(finding.file.startswith(shown.removesuffix("/part-0.txt")) for finding in findings)
    told = checking.describe_findings(findings)
    assert shown in told
    assert not [value for value in ada.all() if value.lower() in told.lower()]


def test_every_trace_at_once_is_told_place_by_place(erased, home):
    lake, document, people = erased
    ada, identifiers = people["ada"]
    places = {str(plant(home, ada).relative_to(home)) for plant in survivors.PLACES}
    copy = Lake(load_settings(str(home)), lake.engine, lake.contracts)
    findings = search_twice(copy, document, identifiers)
    hidden = {place for place in places if ada.order in place or ada.account in place}
    assert places - hidden <= {finding.file for finding in findings}
    assert len({finding.file for finding in findings}) >= len(places)
    assert "places more" in checking.describe_findings(findings)


def test_the_traces_are_real(erased, home):
    """A search of another make, which knows fewer ways to write and pack a text, finds most of them as well."""
    _, _, people = erased
    ada, _ = people["ada"]
    for plant in survivors.PLACES:
        plant(home, ada)
    found = {path for path, _ in find_below(home, ada.all())}
    assert len(found) > len(survivors.PLACES) // 2


def test_what_cannot_be_unpacked_is_told_because_nothing_is_known_about_it(erased, home):
    lake, document, people = erased
    copy = Lake(load_settings(str(home)), lake.engine, lake.contracts)
    torn = survivors.landed_gzip(home, people["ben"][0])
    torn.write_bytes(torn.read_bytes()[:40])
    (finding,) = search_twice(copy, document, people["ada"][1])
    assert finding.file == "landing/clickstream/part-1.jsonl.gz"
    assert "unreadable" in str(finding.kind)


def test_partners_books_may_know_what_partners_hold_and_nothing_else(erased, home):
    lake, document, people = erased
    copy = Lake(load_settings(str(home)), lake.engine, lake.contracts)
    ada, _ = people["ada"]
    book = home / "ledger" / "audience_members" / "part-0.txt"
    book.parent.mkdir(parents=True, exist_ok=True)
    book.write_text(f"{ada.ad_id} {ada.hash().hex()}")
    checked = verify(copy, document).checked
    assert (checked.is_clean, checked.pending) == (True, 2)
    book.write_text(f"{ada.ad_id} {ada.phone}")
    checked = verify(copy, document).checked
    assert [str(finding.kind) for finding in checked.findings] == ["phone number of a customer"]
    assert checked.pending == 1


def test_what_a_hold_keeps_excuses_nothing_elsewhere(erased, home):
    lake, _, people = erased
    ada, identifiers = people["ada"]
    copy = Lake(load_settings(str(home)), lake.engine, lake.contracts)
    survivors.log_statistics(home, ada)
    survivors.footer_metadata(home, ada)
    checked = checking.search(copy, identifiers.build(), checking.expect(copy, ["lake/orders"]))
    assert {finding.file.rpartition("/_delta_log")[0] for finding in checked.findings} == {"lake/clicks"}
    assert checked.held == 1
