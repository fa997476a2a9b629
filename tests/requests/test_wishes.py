"""Requests in files: every wrong row is told at once by its line, and nothing personal of any."""

import json
from datetime import date

import pytest

from jobs.errors import UsageError
from jobs.privacy.keyring import Key
from jobs.requests.wishes import read_wish, read_wishes

KEY = Key("subject", "0000", b"planted-key-planted-key-planted!")
TODAY = date(2026, 3, 2)
GOOD = (
    "email,kind,purpose,phone\njane@shop.example,opt-out,personalisation,\nJoe@Shop.example,correct,,+49 30 1234567\n"
)


def read(text, kind=None):
    return read_wishes(text, KEY, TODAY, kind=kind)


def test_csv_and_json_lines_say_the_same():
    rows = [
        {"email": "jane@shop.example", "kind": "opt-out", "purpose": "personalisation"},
        {"email": "Joe@Shop.example", "kind": "correct", "phone": "+49 30 1234567", "purpose": None},
    ]
    assert read("\n".join(map(json.dumps, rows))) == read(GOOD) == read("\ufeff" + GOOD.replace("\n", "\r\n"))
    assert [wish.purpose for wish in read(GOOD)] == ["personalisation", None]
    assert read(GOOD)[1].values == {"phone": "+49 30 1234567"}


def test_rows_without_a_kind_are_of_the_kind_asked_for():
    (wish,) = read("email\njane@shop.example\n", "access")
    assert (wish.kind, wish.purpose) == ("access", None)
    assert read("email;kind\njane@shop.example;erase\n", "access")[0].kind == "erase"


def test_spellings_of_an_address_are_one_person():
    first, second = read("email,kind\njane@shop.example,access\n JANE@Shop.example ,erase\n")
    assert first.subject_id == second.subject_id


def test_all_wrong_rows_are_told_by_line_and_without_their_content():
    text = (
        "email,kind,purpose,phone,street\n"
        "jane@shop.example,access,,,\n"
        "jane-at-shop,access,,,\n"
        "jane@shop.example,forget-jane,,,\n"
        "\n"
        "jane@shop.example,access\n"
        'jane@shop.example,correct,,call Jane,"Jane\nStreet"\n'
        "jane@shop.example,erase,,0301234567,\n"
        "jane@shop.example,access,ads,,\n"
        "jane@shop.example,opt-out,jane,,\n"
        ",access,,,\n"
    )
    with pytest.raises(UsageError) as error:
        read(text)
    first, *told = str(error.value).split("\n")
    assert first == "8 of 9 rows are wrong; nothing was recorded:"
    assert [line.partition(":")[0] for line in told] == [f"line {n}" for n in (3, 4, 6, 7, 9, 10, 11, 12)]
    assert "jane" not in str(error.value).lower()
    assert "no @" in told[0]
    assert "kind must be one of access, erase" in told[1]
    assert "2 fields where the header has 5" in told[2]
    assert "phone must have 6 to 15 digits" in told[3]
    assert "street must be one line" in told[3]
    assert "phone can only come with a request to correct" in told[4]


@pytest.mark.parametrize(
    "line",
    ["{", '["jane"]', '{"email": 1}', '{"email": {"jane": "x"}}', '{"email": "jane@shop.example"} more', "[" * 9999],
)
def test_a_line_that_is_no_flat_object_is_told(line):
    text = '{"email": "jane@shop.example", "kind": "access"}\n' + line
    with pytest.raises(UsageError, match="1 of 2 rows are wrong; nothing was recorded:\nline 2: no JSON object"):
        read(text)


def test_names_of_unknown_fields_are_not_repeated():
    with pytest.raises(UsageError, match="line 1: 1 of its fields are none of email, kind, purpose") as error:
        read('{"email": "jane@shop.example", "kind": "access", "jane": "x"}')
    assert "jane" not in str(error.value)


@pytest.mark.parametrize("text", ["", "\n \n", "email,kind\n"])
def test_a_file_without_requests_is_wrong_use(text):
    with pytest.raises(UsageError, match="There is no request in the file"):
        read(text)


def test_a_file_without_its_header_is_told():
    with pytest.raises(UsageError, match="line 1: header lacks email"):
        read("jane@shop.example,access\n")


def test_only_the_first_hundred_wrong_rows_are_told():
    with pytest.raises(UsageError) as error:
        read("email,kind\n" + "x,access\n" * 250)
    assert str(error.value).count("\n") == 101
    assert str(error.value).endswith("and 150 more")


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("full_name", "123", "full_name must have a letter"),
        ("full_name", "Ann\u202eLee", "full_name must be one line"),
        ("full_name", "x" * 201, "full_name must be one line of at most 200"),
        ("phone", "12345", "phone must have 6 to 15 digits"),
        ("phone", "+49 30 12345 ext", "phone must have"),
        ("postcode", "53111!", "postcode must have letters and digits"),
        ("country", "Germany", "country must be a two-letter code"),
        ("country", "ZZ", "country must be a two-letter code"),
        ("birth_date", "17.5.1990", "birth_date must be a day such as"),
        ("birth_date", "1899-12-31", "birth_date must be a day such as"),
        ("birth_date", "2026-03-03", "birth_date must be a day such as"),
        ("birth_date", "19900517", "birth_date must be a day such as"),
        ("street", " ", "street must not be empty"),
        ("shoe_size", "44", "1 of its fields cannot be corrected; what can is full_name, phone"),
    ],
)
def test_a_value_that_cannot_be_is_told_without_it(field, value, told):
    with pytest.raises(UsageError) as error:
        read_wish({"kind": "correct", "email": "jane@shop.example", field: value}, KEY, TODAY)
    assert told in str(error.value)
    assert value.strip() == "" or value not in str(error.value)


def test_all_mistakes_of_a_correction_are_told_at_once():
    wrong = {"phone": "x", "birth_date": "x", "country": "x", "shoe_size": "x", "city": "Bonn"}
    with pytest.raises(UsageError) as error:
        read_wish({"kind": "correct", "email": "jane", **wrong}, KEY, TODAY)
    assert all(part in str(error.value) for part in ("no @", "1 of its fields", "phone", "birth_date", "country"))
    assert "city" not in str(error.value).partition("what can is")[0]


def test_a_correction_of_nothing_is_told():
    with pytest.raises(UsageError, match="a correction needs at least one of"):
        read_wish({"kind": "correct", "email": "jane@shop.example"}, KEY, TODAY)


def test_a_country_is_written_in_upper_case_and_space_around_values_goes():
    wish = read_wish({"kind": "correct", "email": "j@shop.example", "country": "de", "city": " Bonn "}, KEY, TODAY)
    assert wish.values == {"country": "DE", "city": "Bonn"}


def test_printing_a_wish_shows_nothing_of_the_person():
    wish = read_wish({"kind": "correct", "email": "jane@shop.example", "city": "Bonn"}, KEY, TODAY)
    assert not {"jane", "Bonn", wish.subject_id} & set(repr(wish).replace("'", " ").split())
    assert "Bonn" not in repr(wish)
    assert "jane" not in repr(wish)
