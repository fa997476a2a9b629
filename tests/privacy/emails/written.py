"""Addresses as people, programs and attackers write them."""

from itertools import product

from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.privacy.emails import PROFILES, InvalidAddressError

SPACES = tuple(" \t\n\r\v\f\x1c\x1f\u0085\u00a0\u1680\u2000\u2003\u2028\u2029\u202f\u205f\u3000\ufeff\u200b")
LETTERS = tuple("abcXYZ019.+-_@!#$%&'*/=?^`{|}~,;<>()[]\"\\ :")
ODD = (
    *(
        "..",
        "@",
        "\0",
        "\x7f",
        "é",
        "e\u0301",
        "É",
        "ß",
        "ẞ",
        "İ",
        "ı",
        "Σ",
        "ς",
        "K",
        "\u212a",
        "Å",
        "\u212b",
        "ﬀ",
        "Ǆ",
    ),
    *(
        "Ａ",
        "。",
        "．",
        "＠",
        "漢",
        "😊",
        "א",
        "ا",
        "\u200d",
        "\u200c",
        "\u00ad",
        "\u0345",
        "\u0378",
        "\u06dd",
        "\u202e",
    ),
    *("\ue000", "\uffff", "\U0010ffff", "\U0001d400"),
)
DOMAINS = (
    *(
        "gmail.com",
        "GMAIL.COM",
        "googlemail.com",
        "GoogleMail.Com",
        "gmail.com.",
        "gmail。com",
        "ＧＭＡＩＬ.com",
        "gmaIl.com",
    ),
    *("example.com", "müller.example", "MÜLLER.example", "mu\u0308ller.example", "xn--mller-kva.example", "xn--zz.com"),
    *("faß.example", "fass.example", "ΣΑΣ.example", "אב.example", "مثال.إختبار", "😊.example", "ab--cd.com", "é_b.com"),
    *("exa_mple.com", "-a.com", "a-.com", "x", ".com", "x.y.z", "x." + "a" * 63, "x." + "a" * 64, "é" * 63 + ".com"),
)
HEX = st.text("0123456789abcdefABCDEF", min_size=31, max_size=33) | st.text(
    "0123456789abcdef", min_size=63, max_size=65
)

ALL = tuple(PROFILES.values())

spaces = st.text(st.sampled_from(SPACES), max_size=2)
odd_text = st.lists(st.sampled_from((*LETTERS, *ODD)) | st.characters(exclude_categories=["Cs"]), max_size=10).map(
    "".join
)
plain_text = st.text("abcXY.+1", min_size=1, max_size=12)
long_text = st.sampled_from([63, 64, 65, 200, 239, 240, 241, 242, 300]).map(lambda length: "a" * length)
domains = st.sampled_from(DOMAINS) | odd_text
locals_ = plain_text | odd_text | long_text
addresses = st.builds("{}{}@{}{}".format, spaces, locals_, domains, spaces)
hostile = addresses | odd_text | HEX
ascii_domains = st.sampled_from([domain for domain in DOMAINS if domain.isascii()])
ascii_text = st.text(st.characters(max_codepoint=127), max_size=12)
ascii_addresses = st.builds(
    "{}{}@{}{}".format, ascii_text, plain_text | ascii_text | long_text, ascii_domains | ascii_text, spaces
).filter(str.isascii)


def many(kind):
    """Many of a kind, because each frame costs a query."""
    return st.lists(kind, min_size=1, max_size=200)


def spell_out():
    """A fixed set of odd addresses: every odd character and space with every domain."""
    return [f"{space}a{odd}B.c+d@{domain}{space}" for odd, space, domain in product(ODD, ("", "\u3000"), DOMAINS)] + [
        f"a{space}@example.com{space}" for space in SPACES
    ]


def text_or_none(profile, address):
    """What the text's rule gives, as a column would."""
    try:
        return profile.normalise_text(address)
    except InvalidAddressError:
        return None


def normalise_all(lake, written, profiles=ALL):
    """One row per address, with one column per profile, in order."""
    frame = lake.session.createDataFrame(list(enumerate(written)), "place int, address string")
    columns = [profile.normalise(F.col("address")).alias(profile.name) for profile in profiles]
    rows = frame.select("place", *columns).orderBy("place").collect()
    return [tuple(row)[1:] for row in rows]
