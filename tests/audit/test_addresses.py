"""E-mail addresses are cut out of whatever text they stand in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.audit.addresses import find_addresses

LOCALS = st.from_regex(r"[a-z0-9][a-z0-9._+-]{0,20}[a-z0-9]", fullmatch=True)
DOMAINS = st.from_regex(
    r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?(\.[a-z0-9]{1,8}){0,2}\.(com|de|example|info|museum)", fullmatch=True
)
SEPARATORS = ["", " ", "\n", "\0", "<", ">", "&", "=", "?", ":", ";", '"', "(", ")", "[", ",", "/", "|"]


def found(text: str) -> list[str]:
    return [f"{address.local}@{address.domain}" for address in find_addresses(text.encode())]


@given(LOCALS, DOMAINS, st.sampled_from(SEPARATORS), st.sampled_from(SEPARATORS))
def test_an_address_is_found_between_any_separators(local, domain, before, behind):
    assert found(f"{before}{local}@{domain}{behind}") == [f"{local}@{domain}"]


@given(LOCALS, DOMAINS, LOCALS, DOMAINS)
def test_two_addresses_are_two(local, domain, other, place):
    assert len(found(f"{local}@{domain} {other}@{place}")) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to ada@example.com.", ["ada@example.com"]),
        ('"ada b"@example.com', ['"ada b"@example.com']),
        ("o'brien@example.ie", ["o'brien@example.ie"]),
        ("mailto:ada+shop@mail.example.co.uk?subject=x", ["ada+shop@mail.example.co.uk"]),
        ("jörg@bücher.example", ["jörg@bücher.example"]),
        ("用户@例子.中国", ["用户@例子.中国"]),
        ("x@y.xn--p1ai", ["x@y.xn--p1ai"]),
        ("ada@example.com.parquet", ["ada@example.com"]),
        ("ada@example.com2024", ["ada@example.com"]),
        ("ada@163.com", ["ada@163.com"]),
        ("ada@example.md", ["ada@example.md"]),
        ("[email]", []),
        ("@example.com", []),
        ("ada@", []),
        ("ada@localhost", []),
        ("ada@@example.com", []),
        ("https://cdn.example/npm/vega@5.min.js", []),
        ("lib@1.2.3", []),
        ("10.0.0.1@5", []),
    ],
)
def test_what_counts_as_an_address(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize(
    "text", ["x-ada.b@example.com.parquet.gz", "邮箱ada.b@example.com的", "ada.b@example.com.evil"]
)
def test_text_written_right_before_or_behind_is_read_away(text):
    (address,) = find_addresses(text.encode())
    assert "ada.b@example.com" in set(address.list_readings())


def test_short_addresses_may_stand_among_arbitrary_bytes_by_chance():
    assert [address.is_no_chance for address in find_addresses(b"\x01a@b.de\x02 ada.b@example.com")] == [False, True]
