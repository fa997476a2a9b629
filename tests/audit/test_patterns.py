"""Cards, identity numbers and phones are told from ids, times and prices."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.audit.numbers import find_numbers
from jobs.audit.patterns import find_check_digit, is_card, is_chinese_id, is_phone, passes_luhn

CARDS = [
    "4111111111111111", "4000001234567899", "5555555555554444", "2223003122003222", "378282246310005",
    "36227206271667", "6011111111111117", "3530111333300000", "6212345678901232", "6759649826438453",
]  # fmt: skip
CHINESE_IDS = ["11010519491231002X", "440524188001010014", "510108197205052137"]


def counts(text, rule):
    return len({number.place for number in find_numbers(text.lower().encode()) if rule(number)})


def group(digits, size, separator):
    return separator.join(digits[start : start + size] for start in range(0, len(digits), size))


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("size", [1, 4, 20])
@pytest.mark.parametrize("separator", [" ", "-", ".", "--", " - ", "+", "_", "/"])
def test_a_card_is_found_however_its_digits_are_grouped(card, size, separator):
    assert passes_luhn(card)
    assert counts(f"paid with {group(card, size, separator)} yesterday", is_card) == 1


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize(
    "text", ["{}", "q={}&x=1", '"{}"', "[{}]", "card{}", "{}.", "({})", "no.{}", "1234 {} 5678", "a\0{}\0b"]
)
def test_a_card_is_found_whatever_stands_around_it(card, text):
    assert counts(text.format(group(card, 4, " ")), is_card) >= 1


@given(st.sampled_from(CARDS), st.integers(0, 13), st.integers(1, 9))
def test_a_card_with_one_wrong_digit_is_none(card, place, change):
    wrong = card[:place] + str((int(card[place]) + change) % 10) + card[place + 1 :]
    assert counts(wrong, is_card) == 0


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111111a3f09b7c",
        "a3f09b7c4111111111111111",
        "f47ac10b-4111-1111-1111-111122223333",
        "w-4111111111111111",
        "0.4111111111111111",
        "4111111111111111.25",
        "41111111111111112222333344445555",
        "2024-01-31 12:00:00.123456",
        "1704067200000 1704067200001",
        "1234567890123456",
        "9876543210123456",
    ],
)
def test_ids_hashes_fractions_and_times_are_no_cards(text):
    assert counts(text, is_card) == 0


def test_random_hex_ids_hold_no_card_and_no_identity_number():
    digits = random.Random(5)
    ids = "\0".join(f"{digits.getrandbits(128):032x}" for _ in range(100_000))
    assert counts(ids, is_card) == 0
    assert counts(ids, is_chinese_id) == 0


@pytest.mark.parametrize("number", [CHINESE_IDS[0], CHINESE_IDS[2]])
@pytest.mark.parametrize("text", ["{}", "id {} x", "证号{}。", '"{}"', "{},", "id:{}\0next"])
def test_a_chinese_identity_number_is_found(number, text):
    spaced = f"{number[:6]} {number[6:14]} {number[14:]}"
    assert counts(text.format(number), is_chinese_id) == 1
    assert counts(text.format(spaced), is_chinese_id) == 1
    assert counts(text.format(spaced.replace(" ", "-")), is_chinese_id) == 1


@given(st.sampled_from([CHINESE_IDS[0], CHINESE_IDS[2]]), st.integers(0, 16), st.integers(1, 9))
def test_an_identity_number_with_one_wrong_digit_is_none(number, place, change):
    wrong = number[:place] + str((int(number[place]) + change) % 10) + number[place + 1 :]
    assert counts(wrong, is_chinese_id) == 0


@pytest.mark.parametrize(
    "number", ["110105194913310023", "990105194912310029", "11010519491231002", "11010519491231002Xa"]
)
def test_a_date_or_province_that_cannot_be_makes_it_none(number):
    assert counts(number, is_chinese_id) == 0


def test_the_check_digit_is_that_of_the_standard():
    assert [find_check_digit(number[:17]) for number in CHINESE_IDS] == ["x", "4", "7"]


@pytest.mark.parametrize(
    "text",
    [
        "+49 30 23125001",
        "+4930 231-25001",
        "tel:+1-202-555-0101",
        "(+44) 7700 900123",
        "q=+8613812345678",
        "电话+8613812345678。",
        "电话 138 1234 5678",
        "手机139-1234-5678号",
        "+49(0)3023125001",
    ],
)
def test_an_international_number_is_a_phone(text):
    assert counts(text, is_phone) == 1


@pytest.mark.parametrize(
    "text",
    [
        "1704067200",
        "a+4930231250",
        "12+34567890",
        "+1234567",
        "2024-01-01T00:00:00+00:00",
        "+0049302312500",
        "1e+12345678",
    ],
)
def test_times_sums_and_short_numbers_are_no_phone(text):
    assert counts(text, is_phone) == 0
