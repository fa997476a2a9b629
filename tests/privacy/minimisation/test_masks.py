import re

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.privacy.minimisation.masks import holds_card, holds_email, mask_text

CARDS = ("4111111111111111", "5500000000000004", "378282246310005", "6011111111111117", "3530111333300000")


def mask(lake, texts):
    frame = lake.session.createDataFrame(list(enumerate(texts)), "place int, text string")
    return [
        row.masked for row in frame.select("place", mask_text(F.col("text")).alias("masked")).orderBy("place").collect()
    ]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("red mug", "red mug"),
        ("call jane.doe@example.com now", "call [email] now"),
        ("/u/jane%40example.com/x", "/u/[email]/x"),
        ("card 4111 1111 1111 1111!", "card [card]!"),
        ("5500-0000-0000-0004", "[card]"),
        ("order 1234567890123", "order 1234567890123"),
        ("99 4111111111111111 7", "[card]"),
        ("123456789012", "123456789012"),
        ("/pay/4111%201111%201111%201111/x", "/pay/[card]/x"),
        ("4111%2D1111%2d1111%25201111", "[card]"),
        ("4111+1111.1111_1111", "[card]"),
        ("4111\u00a01111\u00a01111\u00a01111", "[card]"),
        ("4111 - 1111 - 1111 - 1111", "[card]"),
        ("4111 -- 1111    1111 1111", "4111 -- 1111    1111 1111"),
        ("jürgen@müller.de", "[email]"),
        ("o'brien@example.com", "[email]"),
        ("jane@example.xn--p1ai", "[email]"),
        ("/u/jane%2540example.com/x", "/u/[email]/x"),
        ("/u/j%C3%BCrgen%2Bhome%40m%C3%BCller.de/x", "/u/[email]/x"),
        ("/a=jane@example.com&b=1", "/a=[email]&b=1"),
        (None, None),
    ],
)
def test_what_is_masked(shared_lake, text, masked):
    assert mask(shared_lake, [text]) == [masked]


separators = st.sampled_from(["", " ", "-", "+", ".", "_", "\u00a0", " - ", "%20", "%2d", "%2520"])
spelled_card = st.builds(
    lambda card, by: by.join(card[start : start + 4] for start in range(0, len(card), 4)),
    st.sampled_from(CARDS),
    separators,
)


def digits(text):
    return re.sub(r"%(25)*2[0d]|\D", "", text)


@given(
    st.lists(
        st.tuples(st.text("0123456789 -+._x", max_size=10), spelled_card, st.text("0123456789 -+._x", max_size=10)),
        min_size=1,
        max_size=20,
    )
)
@hypothesis_settings(max_examples=20, deadline=None)
def test_no_card_survives_whatever_stands_around_it(shared_lake, parts):
    masked = mask(shared_lake, [f"{before}{card}{after}" for before, card, after in parts])
    assert not [text for text, (_, card, _) in zip(masked, parts, strict=True) if digits(card) in digits(text)]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *((card, True) for card in CARDS),
        ("P4111-1111-1111-1111", True),
        ("9 4111111111111111 7", True),
        ("SKU/4111/1111/1111/1111", True),
        ("30569309025904", True),
        ("4006381333931", False),
        ("4111111111111112", False),
        ("85123A", False),
        ("deadbeef4111111111111111deadbeef", False),
        (None, False),
    ],
)
def test_which_codes_hold_a_card(shared_lake, code, expected):
    frame = shared_lake.session.createDataFrame([(code,)], "code string")
    assert frame.select(holds_card(F.col("code"))).collect() == [(expected,)]


@pytest.mark.parametrize(
    ("code", "expected"), [("jane@example.com", True), ("a:jane%40example.com", True), ("a@b", False), (None, False)]
)
def test_which_codes_hold_an_address(shared_lake, code, expected):
    frame = shared_lake.session.createDataFrame([(code,)], "code string")
    assert frame.select(holds_email(F.col("code"))).collect() == [(expected,)]
