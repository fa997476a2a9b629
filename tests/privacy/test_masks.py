import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.privacy.masks import mask_text

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
        (None, None),
    ],
)
def test_what_is_masked(shared_lake, text, masked):
    assert mask(shared_lake, [text]) == [masked]


@given(
    st.lists(
        st.tuples(st.text("0123456789 -x", max_size=10), st.sampled_from(CARDS), st.text("0123456789 -x", max_size=10)),
        min_size=1,
        max_size=20,
    )
)
@hypothesis_settings(max_examples=20, deadline=None)
def test_no_card_survives_whatever_stands_around_it(shared_lake, parts):
    masked = mask(shared_lake, [f"{before}{card}{after}" for before, card, after in parts])
    assert not [
        text for text, (_, card, _) in zip(masked, parts, strict=True) if card in text.replace(" ", "").replace("-", "")
    ]
