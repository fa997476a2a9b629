"""Match keys of PAIR: as the public implementation makes them, and the same for a text and for a column."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.privacy.pair.commutative import decrypt, encrypt, reencrypt
from jobs.privacy.pair.match_keys import make_seed, match_seed, secret_relation

SHARED = bytes(range(32))
OURS = bytes([0x11] * 31 + [0])
THEIRS = bytes([0x22] * 31 + [0])
VECTORS = {
    "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514": (
        "lEk9mwhzIReMgA6PTPr/jC6dkBzc8Gp2GI/GXZlJtgU=",
        "RL4MG4WaZjrM89TnvboT1JCDZN0mnR3QQlqwhaQFAiM=",
        "qm/HXAs+IU8yrVJN+N5+5//7kDchDe0qzha0QhRqgjI=",
    ),
    "hello": (
        "ju0mVQODv2yBtUrPTLUJdByPrWzBcSNn0LzNiFrof2k=",
        "lEXhNf3RMK2ZzwyHjbNkmhNGvBz3zK9vdkyduQknmUI=",
        "JBGUYBVPSANixlzIFuIgl2Zl9PGslewO1Fcxf/kEGAg=",
    ),
}
"""What Optable's match 1.4.0 gives for these keys: under ours, under both, and with ours taken off again."""


@pytest.mark.parametrize("digits", VECTORS)
def test_identifiers_are_those_of_the_public_implementation(digits):
    once = encrypt(make_seed(digits, SHARED), OURS)
    both = reencrypt(once, THEIRS)
    found = tuple(base64.b64encode(point).decode() for point in (once, both, decrypt(both, OURS)))
    assert found == VECTORS[digits]


@settings(deadline=None)
@given(digits=st.text("0123456789abcdef", min_size=64, max_size=64), one=st.binary(max_size=32), other=st.binary())
def test_another_shared_secret_gives_another_key(digits, one, other):
    assert (make_seed(digits, one) == make_seed(digits, other)) == (one == other)


@pytest.mark.parametrize("shared", [SHARED, b""])
def test_a_column_gives_what_a_text_gives(engine, shared):
    texts = [*VECTORS, "0" * 64, None]
    rows = engine.session.createDataFrame([(text,) for text in texts], "digits string")
    seeded = rows.crossJoin(F.broadcast(secret_relation(engine.session, shared)))
    found = {row[0]: row[1] and bytes(row[1]) for row in seeded.select("digits", match_seed(F.col("digits"))).collect()}
    assert found == {text: text and make_seed(text, shared) for text in texts}


def test_a_plan_does_not_show_the_secret(engine, capsys):
    secret = b"\xc0\xff\xee" * 10 + b"ab"
    rows = engine.session.createDataFrame([("0" * 64,)], "digits string")
    seeded = rows.crossJoin(secret_relation(engine.session, secret)).select(match_seed(F.col("digits")))
    seeded.explain(extended=True)
    shown = capsys.readouterr().out + str(seeded.schema)
    assert "c0ffee" not in shown.lower()
    assert "192, 255, 238" not in shown
