"""A PAIR exchange from end to end: who is in both lists is found exactly, and nobody learns more."""

import base64
import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import KeyRingError, SophiluxError, UsageError
from jobs.exports.pair.exchange import (
    MINIMUM_LIST,
    ListTooSmallError,
    check_size,
    describe_rate,
    match_lists,
    reencrypt_list,
)
from jobs.exports.pair.packages import export_list
from jobs.exports.partners import Partner
from jobs.privacy.export_rules import ExportRules
from jobs.privacy.keyring import open_keyring
from tests.exports.conftest import DAY
from tests.exports.people import NEWS, SCOPE_START, fill_people, name_address, share

from .publisher import Party, make_secret, read_lines, write_lines

OURS = range(40)
THEIRS = range(30, 60)
BOTH = range(30, 40)
NO_POINT = base64.b64encode(bytes.fromhex("01" + "ff" * 30 + "7f")).decode()
IDENTITY = base64.b64encode(bytes(32)).decode()


@pytest.fixture
def publisher():
    return Party(make_secret())


@pytest.fixture
def sent(lake, publisher):
    """A lake whose list of 40 people was handed to the publisher."""
    fill_people(lake, OURS)
    share(lake, publisher.shared)
    export_list(lake, NEWS, DAY, rules=ExportRules(), minimum=3)
    return lake


def our_list(lake, day=DAY, partner=NEWS):
    return read_lines(Path(lake.home) / "exports" / partner.name / str(day) / "pair_identifiers-0000.csv")


def list_of(party, numbers):
    return party.encrypt(name_address(number).upper() for number in numbers)


def run_match(lake, publisher, folder, *, theirs=None, ours=None, day=DAY, minimum=3):
    """Re-encrypt and match as both clean rooms do; gives the match and what is handed over for activation."""
    theirs = list_of(publisher, THEIRS) if theirs is None else theirs
    ours = publisher.reencrypt(our_list(lake, day)) if ours is None else ours
    received = write_lines(folder / "theirs.csv", theirs)
    reencrypt_list(lake, NEWS.name, day, theirs=received, out=str(folder / "both.csv"), minimum=minimum)
    returned = write_lines(folder / "ours.csv", ours)
    out = folder / "activate.csv"
    found = match_lists(
        lake, NEWS.name, day, ours=returned, theirs=str(folder / "both.csv"), out=str(out), minimum=minimum
    )
    return found, read_lines(out)


def test_two_parties_find_exactly_who_is_in_both_lists(sent, publisher, tmp_path):
    found, handed_over = run_match(sent, publisher, tmp_path)
    assert set(handed_over) == {publisher.find_identifier(name_address(number)) for number in BOTH}
    assert (found.own_rate, found.their_rate) == ("25%", "33%")
    assert found.told_for == DAY
    assert not found.rejects


def test_three_parties_find_exactly_who_is_in_both_lists(lake, tmp_path):
    """A clean room adds the third layer; neither it nor the publisher knows our key, nor we theirs."""
    partner = Partner("neutral", ("all",), kind="pair", format="csv", third_layer="clean-room")
    publisher, clean_room = Party(), Party()
    fill_people(lake, OURS)
    export_list(lake, partner, DAY, rules=ExportRules(), minimum=3)
    ours = write_lines(
        tmp_path / "ours.csv", publisher.reencrypt(clean_room.reencrypt(our_list(lake, partner=partner)))
    )
    theirs = write_lines(tmp_path / "theirs.csv", clean_room.reencrypt(list_of(publisher, THEIRS)))
    both, out = tmp_path / "both.csv", tmp_path / "activate.csv"
    reencrypt_list(lake, "neutral", DAY, theirs=theirs, out=str(both), minimum=3)
    found = match_lists(lake, "neutral", DAY, ours=ours, theirs=str(both), out=str(out), minimum=3)
    expected = clean_room.reencrypt(publisher.encrypt(name_address(number) for number in BOTH))
    assert set(read_lines(out)) == set(expected)
    assert (found.own_rate, found.their_rate) == ("25%", "33%")


def test_the_publisher_matches_the_same_people_in_our_files(sent, publisher, tmp_path):
    theirs = list_of(publisher, THEIRS)
    received = write_lines(tmp_path / "theirs.csv", theirs)
    reencrypt_list(sent, NEWS.name, DAY, theirs=received, out=str(tmp_path / "both.csv"), minimum=3)
    matched = set(publisher.reencrypt(our_list(sent))) & set(read_lines(tmp_path / "both.csv"))
    assert len(matched) == len(BOTH)


def test_lists_under_two_layers_do_not_match(sent, publisher, tmp_path):
    with pytest.raises(SophiluxError, match="Nobody is in both lists"):
        run_match(sent, publisher, tmp_path, ours=our_list(sent))
    assert not (tmp_path / "activate.csv").exists()
    assert sent.count("ledger.pair_matches") == 0


def test_another_shared_secret_matches_nobody_and_tells_no_rate(sent, publisher, tmp_path):
    stranger = Party(make_secret())
    stranger.key = publisher.key
    with pytest.raises(SophiluxError, match="different secrets"):
        run_match(sent, stranger, tmp_path, theirs=list_of(stranger, THEIRS))
    assert sent.count("ledger.pair_matches") == 0


def test_a_list_that_was_not_reencrypted_is_refused(sent, publisher, tmp_path):
    theirs = write_lines(tmp_path / "theirs.csv", list_of(publisher, THEIRS))
    ours = write_lines(tmp_path / "ours.csv", publisher.reencrypt(our_list(sent)))
    with pytest.raises(UsageError, match=r"is not what 'sophilux pair reencrypt news-fr --day 2024-03-31' wrote"):
        match_lists(sent, NEWS.name, DAY, ours=ours, theirs=theirs, out=str(tmp_path / "out.csv"), minimum=3)


@pytest.mark.parametrize(
    "change",
    [
        lambda note: {**note, "partner": "news-de"},
        lambda note: {**note, "day": "2024-03-30"},
        lambda note: {**note, "key_id": "00000000"},
        lambda note: {**note, "identifiers": 7},
        lambda note: {**note, "layers": 2},
        lambda note: [note],
    ],
)
def test_a_note_that_is_of_something_else_is_refused(sent, publisher, tmp_path, change):
    run_match(sent, publisher, tmp_path)
    note = tmp_path / "both.csv.json"
    note.write_text(json.dumps(change(json.loads(note.read_text()))))
    with pytest.raises(UsageError, match="our layer may be missing"):
        match_lists(
            sent,
            NEWS.name,
            DAY,
            ours=str(tmp_path / "ours.csv"),
            theirs=str(tmp_path / "both.csv"),
            out=str(tmp_path / "out.csv"),
            minimum=3,
        )


def test_a_reencrypted_list_that_was_changed_is_refused(sent, publisher, tmp_path):
    run_match(sent, publisher, tmp_path)
    both = tmp_path / "both.csv"
    write_lines(both, [*read_lines(both), our_list(sent)[0]])
    with pytest.raises(UsageError, match="our layer may be missing"):
        match_lists(
            sent,
            NEWS.name,
            DAY,
            ours=str(tmp_path / "ours.csv"),
            theirs=str(both),
            out=str(tmp_path / "out.csv"),
            minimum=3,
        )


def test_strange_lines_are_left_out_and_counted(sent, publisher, tmp_path):
    good = list_of(publisher, THEIRS)
    tampered = base64.b64encode(base64.b64decode(good[0])[:-1] + b"\xff").decode()
    strange = ["", "jane@example.com", good[0][:-4], good[0] + "AAAA", IDENTITY, NO_POINT, tampered, good[0], "ÿ"]
    received = write_lines(tmp_path / "theirs.csv", [*strange, *good])
    done = reencrypt_list(sent, NEWS.name, DAY, theirs=received, out=str(tmp_path / "both.csv"), minimum=3)
    assert done.rows == len(THEIRS) == len(read_lines(tmp_path / "both.csv"))
    assert done.rejects == {
        "not_base64": 3,
        "wrong_length": 2,
        "identity_element": 1,
        "not_a_point": 2,
        "repeated": 1,
    }


def test_strange_lines_of_our_own_list_match_nobody(sent, publisher, tmp_path):
    ours = [*publisher.reencrypt(our_list(sent)), IDENTITY, NO_POINT, "?"]
    found, handed_over = run_match(sent, publisher, tmp_path, ours=ours)
    assert len(handed_over) == len(BOTH)
    assert found.own_rate == "25%"
    assert found.rejects == {"identity_element": 1, "not_a_point": 1, "not_base64": 1}


def test_the_order_of_their_list_does_not_show_in_ours(sent, publisher, tmp_path):
    theirs = list_of(publisher, THEIRS)
    written = []
    for lines in (theirs, theirs[::-1], sorted(theirs)):
        received = write_lines(tmp_path / "theirs.csv", lines)
        reencrypt_list(sent, NEWS.name, DAY, theirs=received, out=str(tmp_path / "both.csv"), minimum=3)
        written.append((tmp_path / "both.csv").read_bytes())
    assert written[0] == written[1] == written[2]
    points = [base64.b64decode(line) for line in read_lines(tmp_path / "both.csv")]
    assert points == sorted(points)


@pytest.mark.parametrize(("ours", "theirs"), [(OURS, range(30, 32)), (range(2), THEIRS)])
def test_a_list_below_the_minimum_is_refused(lake, publisher, tmp_path, ours, theirs):
    fill_people(lake, ours)
    share(lake, publisher.shared)
    export_list(lake, NEWS, DAY, rules=ExportRules(), minimum=1)
    with pytest.raises(ListTooSmallError, match="has 2 valid identifiers; a match needs 3 people in either list"):
        run_match(lake, publisher, tmp_path, theirs=list_of(publisher, theirs))
    assert not (tmp_path / "activate.csv").exists()
    assert lake.count("ledger.pair_matches") == 0


def test_the_minimum_is_a_thousand_people(sent, publisher, tmp_path):
    assert MINIMUM_LIST == 1000
    received = write_lines(tmp_path / "theirs.csv", list_of(publisher, THEIRS))
    with pytest.raises(ListTooSmallError, match=r"news-fr's list has 30 valid identifiers; a match needs 1,000 people"):
        reencrypt_list(sent, NEWS.name, DAY, theirs=received, out=str(tmp_path / "both.csv"))
    assert not (tmp_path / "both.csv").exists()
    check_size("a list", 1000, MINIMUM_LIST, {})
    with pytest.raises(ListTooSmallError, match=r"999 valid identifiers \(refused: 3 not_a_point\)"):
        check_size("a list", 999, MINIMUM_LIST, {"not_a_point": 3})


@given(rows=st.integers(1, 10**7), share_=st.floats(0, 1))
def test_a_rate_is_whole_percent_rounded_down_and_never_above_85(rows, share_):
    matched = int(rows * share_)
    told = describe_rate(matched, rows)
    if matched / rows > 0.85:
        assert told == ">85%"
    else:
        percent = int(told.removesuffix("%"))
        assert percent <= 85
        assert percent <= matched * 100 / rows < percent + 1


def test_rates_are_told_once_for_all_lists_under_the_same_keys(sent, publisher, tmp_path):
    first, _ = run_match(sent, publisher, tmp_path)
    later = DAY + timedelta(days=3)
    fill_people(sent, range(39))
    export_list(sent, NEWS, later, rules=ExportRules(), minimum=3)
    again, handed_over = run_match(sent, publisher, tmp_path, day=later)
    assert len(handed_over) == len(BOTH) - 1
    assert (again.own_rate, again.their_rate, again.told_for) == (first.own_rate, first.their_rate, DAY)


def test_new_keys_let_rates_be_told_anew(sent, publisher, tmp_path):
    run_match(sent, publisher, tmp_path)
    later = SCOPE_START + timedelta(days=30)
    publisher.shared = make_secret()
    share(sent, publisher.shared, first=later)
    fill_people(sent, range(20, 40))
    export_list(sent, NEWS, later, rules=ExportRules(), minimum=3)
    found, _ = run_match(sent, publisher, tmp_path, day=later)
    assert (found.own_rate, found.their_rate, found.told_for) == ("50%", "33%", later)
    told = sent.read_records("ledger.pair_matches")
    assert {(row["day"], row["own_rate"]) for row in told} == {(DAY, "25%"), (later, "50%")}


def test_the_ledger_of_matches_holds_no_count_and_no_identifier(sent, publisher, tmp_path):
    run_match(sent, publisher, tmp_path)
    (row,) = sent.read_records("ledger.pair_matches")
    assert set(row) == {"partner", "scope", "day", "own_rate", "their_rate", "matched_at"}
    assert row["scope"].endswith(f"/{SCOPE_START}")


def test_what_is_handed_over_cannot_be_made_from_addresses_without_the_publishers_key(sent, publisher, tmp_path):
    """We know the shared secret and every address; the identifiers of a match still tell us nobody."""
    _, handed_over = run_match(sent, publisher, tmp_path)
    guesser = Party(publisher.shared)
    guesses = {base64.b64encode(guesser.make_point(name_address(number))).decode() for number in OURS}
    guesses |= set(our_list(sent)) | set(guesser.reencrypt(our_list(sent))) | set(read_lines(tmp_path / "ours.csv"))
    assert not guesses & set(handed_over)


def test_a_list_that_was_never_made_has_no_key_to_reencrypt_with(lake, publisher, tmp_path):
    received = write_lines(tmp_path / "theirs.csv", list_of(publisher, THEIRS))
    with pytest.raises(KeyRingError, match="has no key for pair/news-fr/"):
        reencrypt_list(lake, NEWS.name, DAY, theirs=received, out=str(tmp_path / "both.csv"), minimum=3)


def test_a_destroyed_key_matches_nothing(sent, publisher, tmp_path):
    run_match(sent, publisher, tmp_path)
    ring = open_keyring(sent.settings)
    for entry in ring.entries():
        if entry.purpose.startswith("pair/"):
            ring.destroy(entry.purpose)
    (tmp_path / "activate.csv").unlink()
    with pytest.raises(KeyRingError, match="was destroyed"):
        run_match(sent, publisher, tmp_path)
    assert not (tmp_path / "activate.csv").exists()
