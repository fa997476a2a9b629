"""Our own profile: one form for every spelling, and the same pseudonyms as before for addresses of ASCII characters."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from pyspark.sql import functions as F

from jobs.privacy.emails import PROFILES, InvalidAddressError, normalise_email, normalise_email_text
from jobs.privacy.emails.addresses import NOTHING_LEFT, SPACE_INSIDE
from jobs.privacy.emails.sophilux import BAD_DOMAIN, BAD_LOCAL, HIDDEN, LONG_LOCAL, TOO_LONG
from tests.privacy.emails.written import addresses, ascii_addresses, many, normalise_all, text_or_none

SOPHILUX = PROFILES["sophilux"]


def version_1(address):
    """The profile's first version, as an expression; what it gives for ASCII must stay."""
    space = "\\s\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
    not_local = f'@{space},;<>()\\[\\]"\\\\'
    not_domain = f"{not_local}_"
    pattern = f"^[^{not_local}]{{1,64}}@[^{not_domain}.-][^{not_domain}]*\\.[^{not_domain}.]{{2,63}}$"
    trimmed = F.lower(F.regexp_replace(address, f"^[{space}]+|[{space}]+$", ""))
    domain = F.substring_index(trimmed, "@", -1)
    mailbox = F.regexp_replace(F.substring_index(F.substring_index(trimmed, "@", 1), "+", 1), r"\.", "")
    is_gmail = domain.isin("gmail.com", "googlemail.com")
    is_address = trimmed.rlike(pattern) & (F.length(trimmed) <= 254) & ~trimmed.rlike(r"\.\.|^\.|\.@")
    gmail = F.concat(mailbox, F.lit("@gmail.com"))
    return F.when(is_address & ~(is_gmail & (mailbox == "")), F.when(is_gmail, gmail).otherwise(trimmed))


@pytest.mark.parametrize(
    ("written", "normalised"),
    [
        (" Jane.Doe+Home@GMail.com ", "janedoe@gmail.com"),
        ("jane.doe@googlemail.com", "janedoe@gmail.com"),
        ("Jane.Doe+Home@Example.com", "jane.doe+home@example.com"),
        ("\u00a0jane@example.com\u00a0", "jane@example.com"),
        ("\u3000jane@example.com\u2003", "jane@example.com"),
        ("\u0085jane@example.com\u2028", "jane@example.com"),
        ("JÜRGEN@MÜLLER.example", "jürgen@xn--mller-kva.example"),
        ("ju\u0308rgen@mu\u0308ller.example", "jürgen@xn--mller-kva.example"),
        ("jane@xn--mller-kva.example", "jane@xn--mller-kva.example"),
        ("jane@faß.example", "jane@xn--fa-hia.example"),
        ("jane@例え。テスト", "jane@xn--r8jz45g.xn--zckzah"),
        ("Jané.Doe+x@ＧＭＡＩＬ.com", "janédoe@gmail.com"),
        ("\u212aate@example.com", "kate@example.com"),
        ("Å@example.com", "å@example.com"),
        ("ΝΙΚΟΣ@example.com", "νικος@example.com"),
    ],
)
def test_spellings_of_an_address_have_one_form(shared_lake, written, normalised):
    assert normalise_email_text(written) == normalised
    assert normalise_all(shared_lake, [written], [SOPHILUX]) == [(normalised,)]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "empty"),
        ("  \u3000 ", "empty"),
        ("jane", "no @"),
        ("jane@@example.com", "more than one @"),
        ("@example.com", "nothing before the @"),
        ("jane@", "nothing after the @"),
        ("+tag@gmail.com", NOTHING_LEFT),
        ("...@gmail.com", BAD_LOCAL),
        ("jane doe@example.com", SPACE_INSIDE),
        ("jane\u3000doe@example.com", SPACE_INSIDE),
        ("jane@exa\u2003mple.com", SPACE_INSIDE),
        ("jane@exa\u2003mplé.com", SPACE_INSIDE),
        ("jane@example", BAD_DOMAIN),
        ("jane@example.com.", BAD_DOMAIN),
        ("jane@müller.example.", BAD_DOMAIN),
        ("jane@exa_mplé.com", BAD_DOMAIN),
        ("jane@😊.example", BAD_DOMAIN),
        ("jané@exam_ple.com", BAD_DOMAIN),
        ("jane@example." + "x" * 64, BAD_DOMAIN),
        ("jane@" + "é" * 64 + ".example", BAD_DOMAIN),
        ("a..b@example.com", BAD_LOCAL),
        (".a@example.com", BAD_LOCAL),
        ("a.@example.com", BAD_LOCAL),
        ("a,b@example.com", BAD_LOCAL),
        ("a" * 65 + "@example.com", LONG_LOCAL),
        ("é" * 65 + "@example.com", LONG_LOCAL),
        ("jane@" + "d" * 250 + ".com", TOO_LONG),
        ("é" * 300 + "@example.com", TOO_LONG),
        ("e\u0301" * 600 + "@example.com", TOO_LONG),
        ("jané\u200b@example.com", HIDDEN),
        ("\ufeffjane@example.com", HIDDEN),
        ("jané\u0378@example.com", HIDDEN),
        ("jané\ue000@example.com", HIDDEN),
    ],
)
def test_what_cannot_be_normalised_has_a_reason_and_no_pseudonym(shared_lake, written, reason):
    with pytest.raises(InvalidAddressError) as caught:
        normalise_email_text(written)
    assert str(caught.value) == reason
    assert normalise_all(shared_lake, [written], [SOPHILUX]) == [(None,)]


def test_no_value_has_no_form(shared_lake):
    assert normalise_all(shared_lake, [None], list(PROFILES.values())) == [(None,) * len(PROFILES)]


@given(many(ascii_addresses))
@hypothesis_settings(max_examples=25, deadline=None)
def test_addresses_of_ascii_characters_keep_the_form_of_version_1(shared_lake, written):
    frame = shared_lake.session.createDataFrame([(address,) for address in written], "address string")
    address = F.col("address")
    rows = frame.select(version_1(address).alias("before"), normalise_email(address).alias("now")).collect()
    assert [row.now for row in rows] == [row.before for row in rows]


@given(many(addresses))
@hypothesis_settings(max_examples=50, deadline=None)
def test_composed_and_decomposed_spellings_are_one_address(written):
    for address in written:
        forms = {text_or_none(SOPHILUX, unicodedata.normalize(form, address.strip())) for form in ("NFC", "NFD")}
        assert len(forms) == 1 or len(address) > 250


@given(many(addresses))
@hypothesis_settings(max_examples=50, deadline=None)
def test_what_comes_out_is_composed_and_has_a_domain_of_ascii(written):
    for address in written:
        normalised = text_or_none(SOPHILUX, address)
        if normalised is not None:
            assert unicodedata.is_normalized("NFC", normalised)
            assert normalised.partition("@")[2].isascii()
            assert len(normalised) <= 254


@pytest.mark.parametrize("unit", ["a", "é", "\u0301", "\u0345", "a.", "é.", "@", " ", "\u3000"])
def test_a_text_of_a_million_characters_is_refused_at_once(unit):
    started = time.perf_counter()
    for text in (unit * 1_000_000, f"{unit * 500_000}@{unit * 500_000}", f"a@{unit * 1_000_000}.com"):
        with pytest.raises(InvalidAddressError):
            normalise_email_text(text)
    assert time.perf_counter() - started < 2
