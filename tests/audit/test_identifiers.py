"""Which values are searched for, in which forms, and which are too common."""

from collections import Counter

import pytest

from jobs.audit.identifiers import Identifiers, list_phone_numbers
from jobs.audit.needles import Kind
from jobs.audit.vault_values import read_identifiers
from jobs.errors import UsageError


def build(kind, values):
    identifiers = Identifiers()
    identifiers.add(kind, values)
    return identifiers.build()


@pytest.mark.parametrize(
    ("kind", "searched", "skipped"),
    [
        (Kind.NAME, ["Ada Lee", "Jean Luc Picard", "王小明", "김민수"], ["Ada", "Birkenfeld", "Al Bo", "王芳", "..."]),
        (Kind.PHONE, ["+49 30 23125001", "12345678"], ["1234567", "n/a"]),
        (Kind.STREET, ["Invented Street 7", "7 rue X, Paris"], ["Musterstadt", "10115", "Rosenweg", "1a"]),
        (Kind.ACCOUNT, ["C0000012", "1234567890", "a3f9-22bc"], ["17850", "ABCDEFG", "A1"]),
        (Kind.EMAIL, ["a@b.de"], ["nobody"]),
    ],
)
def test_only_distinctive_values_are_searched_for(kind, searched, skipped):
    needles = build(kind, [*searched, *skipped, " "])
    assert needles.searched == {kind: len(searched)}
    assert needles.skipped == {kind: len(skipped)}


def test_a_name_is_searched_in_both_orders():
    phrases = build(Kind.NAME, ["Ada Maria Birkenfeld"]).phrases
    assert phrases.count(b"birkenfeld ada maria") == phrases.count(b"ada maria birkenfeld") == Counter({Kind.NAME: 1})


def test_a_name_is_searched_without_what_is_between_and_without_a_space_where_none_is_usual():
    phrases = build(Kind.NAME, ["Ada Maria Birkenfeld", "Al M Bo", "王 小明"]).phrases
    for text in ("ada birkenfeld", "birkenfeld ada", "王小明", "王 小明"):
        assert phrases.count(text.encode()) == Counter({Kind.NAME: 1}), text
    assert phrases.count(b"al bo") == Counter()


@pytest.mark.parametrize(
    ("written", "dialled"),
    [
        ("+49 30 23125001", {"493023125001", "00493023125001", "03023125001"}),
        ("0049-30-23125001", {"00493023125001", "493023125001", "03023125001"}),
        ("493023125001", {"493023125001", "00493023125001"}),
    ],
)
def test_a_phone_number_is_searched_as_it_is_dialled(written, dialled):
    assert list_phone_numbers(written) >= dialled


def test_other_spellings_of_an_address_are_known_by_the_profile():
    emails = build(Kind.EMAIL, ["Ada.B+shop@GoogleMail.com"]).emails
    assert emails.find(["adab@gmail.com", "ada.b+shop@googlemail.com"]).all()


def test_allowed_values_are_left_out():
    identifiers = Identifiers()
    identifiers.add(Kind.NAME, ["Rose Gold", "Ada Birkenfeld"])
    identifiers.allow(["rose  gold"])
    assert identifiers.build().searched == {Kind.NAME: 1}


def test_a_canary_that_chance_could_write_is_refused():
    with pytest.raises(UsageError, match="too short is number 2"):
        Identifiers().add_canaries(["canary-4711", "abc"])


@pytest.mark.slow
def test_the_vault_gives_its_direct_identifiers(demo):
    lake, planted = demo
    identifiers = Identifiers()
    read_identifiers(lake, identifiers)
    needles = identifiers.build()
    assert needles.searched[Kind.ACCOUNT] == planted.customers
    assert needles.searched[Kind.EMAIL] >= planted.addresses
    assert needles.searched[Kind.NAME] > 0
    assert needles.searched[Kind.PHONE] > 0
    assert needles.searched[Kind.STREET] > 0
    for row in lake.read("vault.customers").collect():
        assert needles.emails.find([row.email.lower()]).all()
        assert needles.phrases.count(row.customer_id.lower().encode()) == Counter({Kind.ACCOUNT: 1})
