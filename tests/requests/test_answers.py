"""The file for a person: what it looks like, what it may do in a spreadsheet or browser, and who can read it."""

import csv
import io
import json
import re
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from jobs.audit.homes import list_entries
from jobs.erasure.outcomes import ErasureRequest
from jobs.erasure.planning import judge_people
from jobs.errors import UsageError
from jobs.exports.partners import Partner
from jobs.lake import columns as C
from jobs.people.held_rows import Keeper
from jobs.people.person import Person
from jobs.privacy.rights import request_ledger as ledger
from jobs.requests.access import answers
from jobs.requests.access.archive import Answer, list_files, pack
from jobs.requests.access.building import find_person
from jobs.requests.access.collecting import Holding
from jobs.requests.access.recipients import NOT_KEPT, NOT_READABLE, find_recipients
from jobs.requests.access.wording import CHAPTERS, heading_of, tell_reason, tell_term, title_of
from jobs.requests.serving import serve
from jobs.requests.texts import UNKNOWN
from tests.conform.landed import land
from tests.exports.conftest import DAY, fill_subjects
from tests.exports.reading import EUROPE, export, folder
from tests.requests.asking import NOON, ask, events, id_of, state

NASTY = "<script>alert(1)</script>"
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
ORDER = {
    "order_id": "O1", "day": date(2026, 3, 2), "pull_day": date(2026, 3, 2), "subject_id": "a" * 32, "subject_bucket": 1,
    "customer_id": None, "country": NASTY, "status": "=HYPERLINK(1)", "ordered_at": NOON, "updated_at": NOON,
}  # fmt: skip


def answer_of(lake, table, *rows):
    contract = lake.contracts[table]
    full = tuple({name: row.get(name) for name in contract.column_names} for row in rows)
    return Answer(NOON, [Holding(contract, full)], ())


def files_of(lake, table, *rows):
    return dict(list_files(answer_of(lake, table, *rows)))


@pytest.fixture
def files(lake):
    return files_of(lake, "lake.orders", ORDER)


def test_a_page_needs_no_network_and_runs_nothing_of_what_it_shows(files):
    page = files["index.html"]
    assert NASTY not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert re.findall(r'(?:src|href)="([^"]*)"', page)
    for link in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert link == "data:," or link.startswith("#") or link in files
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page


def test_a_page_tells_how_long_and_why(lake, files):
    contract = lake.contracts["lake.orders"]
    assert tell_term(contract) in files["index.html"]
    assert tell_reason(contract) in files["index.html"].replace("&#39;", "'")
    told = json.loads(files["data/orders.json"])
    assert (told["kept for"], told["why"]) == (tell_term(contract), tell_reason(contract))


def test_no_cell_can_be_taken_for_a_formula(lake):
    starts = ["=1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\n=1", "＝1", "plain", "a=b"]
    files = files_of(lake, "lake.orders", *({**ORDER, "status": start} for start in starts))
    rows = csv.DictReader(io.StringIO(files["tables/orders.csv"].removeprefix("\ufeff"), newline=""))
    assert [row["Status"] for row in rows] == [f"'{start}" for start in starts[:-2]] + starts[-2:]


def test_json_says_what_is_there_and_csv_the_same(lake):
    line = {"order_id": "O1", "quantity": 2, "unit_price": Decimal("7.50"), "ordered_at": NOON, "day": date(2026, 3, 2)}
    files = files_of(lake, "lake.order_lines", line)
    (row,) = json.loads(files["data/what-you-ordered.json"])["rows"]
    assert (row["Pieces"], row["Price per piece"], row["Day"]) == (2, "7.50", "2026-03-02")
    (cells,) = csv.DictReader(io.StringIO(files["tables/what-you-ordered.csv"].removeprefix("\ufeff"), newline=""))
    assert {name: str("" if value is None else value) for name, value in row.items()} == cells


def test_a_long_table_is_shown_in_part_and_told_whole(lake):
    rows = [{**ORDER, "order_id": f"O{n:03}"} for n in range(60)]
    files = files_of(lake, "lake.orders", *rows)
    assert files["index.html"].count('<td class="short">O0') == 25
    assert "The latest 25 of 60 records." in files["index.html"]
    assert "O059" in files["index.html"]
    assert files["tables/orders.csv"].count("O0") == 60


def test_every_table_and_column_has_plain_words(contracts):
    holding = [c for c in contracts.values() if c.erasure is not None and c.zone != "exports"]
    assert len(holding) > 30
    titles = [title_of(contract.name) for contract in holding]
    assert len({title.text.lower() for title in titles}) == len(titles)
    assert {title.chapter for title in titles} <= set(CHAPTERS)
    for contract in holding:
        headings = [heading_of(column) for column in contract.columns]
        assert len(set(headings)) == len(headings), contract.name
        assert not any("_" in heading for heading in headings)
        assert "counted from" in tell_term(contract)
        assert tell_reason(contract) != "not stated"


def test_a_zip_is_whole_and_its_files_are_the_owners(lake):
    content = pack(answer_of(lake, "lake.orders", ORDER))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist()[0] == "index.html"
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o600}


def test_the_same_data_gives_the_same_file(lake):
    one, other = (pack(answer_of(lake, "lake.orders", ORDER)) for _ in range(2))
    assert one == other


def test_a_file_is_kept_for_its_owner_alone_in_a_restricted_place(lake):
    location = answers.keep_answer(lake, "bcd", b"zip")
    assert Path(location).stat().st_mode & 0o777 == 0o600
    assert Path(location).parent.stat().st_mode & 0o777 == 0o700
    (entry,) = [entry for entry in list_entries(lake.home) if not entry.is_folder]
    assert entry.is_restricted
    assert answers.read_answer(lake, "bcd") == b"zip"
    answers.keep_answer(lake, "bcd", b"newer")
    answers.drop_answers(lake, ["xyz"])
    assert answers.read_answer(lake, "bcd") == b"newer"
    answers.drop_answers(lake, ["bcd"])
    with pytest.raises(UsageError, match="There is no file for request bcd"):
        answers.read_answer(lake, "bcd")


def test_old_files_and_what_a_dead_run_left_go(lake):
    answers.keep_answer(lake, "bcd", b"zip")
    left = Path(answers.answer_path(lake, "xyz")).with_name(".xyz.zip.draft")
    left.write_bytes(b"half")
    now = datetime.now(UTC)
    assert answers.drop_old_answers(lake, now + timedelta(days=29)) == 0
    assert answers.drop_old_answers(lake, now + timedelta(days=31)) == 2
    assert list(left.parent.iterdir()) == []


def test_an_encrypted_file_opens_for_its_receiver_only():
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    sealed = answers.encrypt(b"zip", recipient=str(identity.to_public()), passphrase=None)
    assert pyrage.decrypt(sealed, [identity]) == b"zip"
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [pyrage.x25519.Identity.generate()])
    locked = answers.encrypt(b"zip", recipient=None, passphrase="long words")
    assert pyrage.passphrase.decrypt(locked, "long words") == b"zip"
    with pytest.raises(UsageError, match="takes a public key of age"):
        answers.encrypt(b"zip", recipient=RECIPIENT[:-1], passphrase=None)


def test_somebody_unknown_is_told_so_and_gets_no_file(lake):
    request_id = ask(lake, "access").request[C.REQUEST_ID]
    (row,) = serve(lake, [request_id], now=NOON, by="tester")
    assert (row[C.STATE], row[C.REASON], row[C.SUBJECT_ID]) == (ledger.SERVED, UNKNOWN, None)
    assert events(lake, request_id) == ["received", "serving", "served"]
    with pytest.raises(UsageError):
        answers.read_answer(lake, request_id)
    assert lake.read_records("vault.request_payloads") == []


def test_a_request_that_fails_is_open_again_and_the_others_are_served(lake, monkeypatch):
    broken, fine = (ask(lake, "access", address).request[C.REQUEST_ID] for address in ("a@b.example", "c@d.example"))

    def build(lake, row, *, now):
        if row[C.REQUEST_ID] == broken:
            message = "more than five accounts are tied together."
            raise UsageError(message)
        return "1 account"

    monkeypatch.setattr("jobs.requests.serving.build_answer", build)
    with pytest.raises(
        UsageError, match=f"1 of 2 requests could not be served and are open again: {broken}: more than"
    ):
        serve(lake, [broken, fine], now=NOON, by="tester")
    assert (state(lake, broken), state(lake, fine)) == (ledger.OPEN, ledger.SERVED)
    assert events(lake, broken) == ["received", "serving", "failed"]


def test_it_tells_which_packages_had_the_person_and_of_which_nobody_knows(lake):
    person = id_of(lake, "jane@shop.example")
    fill_subjects(lake, {person: {}, "somebody-else": {"country": "FR"}})
    days = [DAY - timedelta(days=1), DAY]
    old = Partner("old", ("all",), minimum_segment=1, format="csv")
    export(lake, EUROPE, days[0])
    export(lake, Partner("secret", ("all",), minimum_segment=1, encrypt_to=(RECIPIENT,)), days[0])
    export(lake, Partner("far", ("FR",), minimum_segment=1), days[0])
    for day in days:
        export(lake, old, day)
    (folder(lake, old, days[0]) / "manifest.json").unlink()
    found = {one.partner: one.handovers for one in find_recipients(lake, Person(subject_ids=frozenset([person])))}
    told = ("your identifier with country and interest",)
    assert {name: [(one.told, one.unknown) for one in handovers] for name, handovers in found.items()} == {
        "adnet-eu": [(told, None)],
        "secret": [((), NOT_READABLE)],
        "far": [((), None)],
        "old": [((), NOT_KEPT), (told, None)],
    }


def test_what_is_disclosed_is_what_would_be_erased(lake):
    line = {"time": "2024-01-31T09:00:00Z", "action": "view", "visitor": "v-1", "email": "jane@shop.example"}
    land(lake, "clickstream", {"source": "f", "line_no": 1, "raw": json.dumps(line)})
    request = ask(lake, "access").request
    person = find_person(lake, request)
    erased = ErasureRequest("r", frozenset([request[C.SUBJECT_ID]]), frozenset(["jane@shop.example"]))
    (judged,) = judge_people(lake, [erased], Keeper(lake, ()))
    assert judged.person == person
    assert person.visitors == {"v-1"}
