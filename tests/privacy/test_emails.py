import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.privacy.emails import normalise_email


def normalise(lake, addresses):
    frame = lake.session.createDataFrame(list(enumerate(addresses)), "place int, address string")
    rows = frame.select("place", normalise_email(F.col("address")).alias("normalised")).orderBy("place").collect()
    return [row.normalised for row in rows]


def reference(address):
    """The profile in plain Python, for addresses of ASCII characters."""
    text = address.strip(" \t\n\r\f\v\xa0").lower()
    if text.count("@") != 1 or re.search(r"[\s,;<>()\[\]\"\\]", text) or len(text) > 254 or ".." in text:
        return None
    local, domain = text.split("@")
    labels = domain.split(".")
    if (
        not 1 <= len(local) <= 64
        or local[0] == "."
        or local[-1] == "."
        or len(labels) < 2
        or not 2 <= len(labels[-1]) <= 63
    ):
        return None
    if "_" in domain or domain[0] in ".-":
        return None
    if domain in ("gmail.com", "googlemail.com"):
        local = local.split("+")[0].replace(".", "")
        return f"{local}@gmail.com" if local else None
    return f"{local}@{domain}"


@pytest.mark.parametrize(
    ("address", "normalised"),
    [
        (" Jane.Doe+Home@GMail.com ", "janedoe@gmail.com"),
        ("jane.doe@googlemail.com", "janedoe@gmail.com"),
        ("Jane.Doe+Home@Example.com", "jane.doe+home@example.com"),
        ("\u00a0jane@example.com\u00a0", "jane@example.com"),
        ("\u3000jane@example.com\u2003", "jane@example.com"),
        ("\u0085jane@example.com\u2028", "jane@example.com"),
        ("jane\u3000doe@example.com", None),
        ("jane@exa\u2003mple.com", None),
        ("jürgen@müller.example", "jürgen@müller.example"),
        ("+tag@gmail.com", None),
        ("jane@example", None),
        ("jane@@example.com", None),
        ("jane doe@example.com", None),
        ("a..b@example.com", None),
        (".a@example.com", None),
        ("a" * 65 + "@example.com", None),
        ("jane@" + "d" * 250 + ".com", None),
        ("", None),
        (None, None),
    ],
)
def test_the_profile(shared_lake, address, normalised):
    assert normalise(shared_lake, [address]) == [normalised]


ascii_address = st.from_regex(
    r"[ ]?[A-Za-z0-9.+_-]{0,8}@?(gmail\.com|GoogleMail.com|[a-z0-9.-]{0,8}\.?[a-z]{0,3})[ ]?", fullmatch=True
)


@given(st.lists(ascii_address, min_size=1, max_size=60))
@hypothesis_settings(max_examples=25, deadline=None)
def test_the_engine_agrees_with_plain_python(shared_lake, addresses):
    assert normalise(shared_lake, addresses) == [reference(address) for address in addresses]


@given(st.lists(st.text(max_size=20).map(lambda text: unicodedata.normalize("NFC", text)), min_size=1, max_size=30))
@hypothesis_settings(max_examples=15, deadline=None)
def test_normalising_twice_changes_nothing(shared_lake, texts):
    once = normalise(shared_lake, [f"{text}@example.com" for text in texts])
    assert normalise(shared_lake, once) == once
