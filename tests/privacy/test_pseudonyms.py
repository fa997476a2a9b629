import hmac
import io
from contextlib import redirect_stdout

import pytest
import xxhash
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.errors import KeyRingError
from jobs.privacy.keyring import SUBJECT, Key, KeyRing
from jobs.privacy.pseudonyms import BUCKETS, key_relation, keyed_digest, subject_bucket, with_keys
from tests.requests.asking import ask

PLANTED = Key("test", "0000", b"planted-key-planted-key-planted!")


def digest_frame(lake, texts, key=PLANTED):
    keys = key_relation(lake.session, test=key)
    frame = lake.session.createDataFrame(list(enumerate(texts)), "place int, text string")
    digest = keyed_digest(F.col("text"), "test")
    digests = with_keys(frame, keys).select("place", digest.alias("digest"))
    return digests.select("place", "digest", subject_bucket(F.col("digest")).alias("bucket")).orderBy("place")


@given(st.lists(st.text(max_size=100), min_size=1, max_size=40), st.binary(min_size=32, max_size=32))
@hypothesis_settings(max_examples=15, deadline=None)
def test_a_digest_is_hmac_sha256_cut_to_128_bits(shared_lake, texts, secret):
    rows = digest_frame(shared_lake, texts, Key("test", "0000", secret)).collect()
    assert [row.digest for row in rows] == [
        hmac.new(secret, text.encode(), "sha256").hexdigest()[:32] for text in texts
    ]


def test_the_bucket_is_that_of_pythons_xxhash(shared_lake):
    rows = digest_frame(shared_lake, [f"p{number}" for number in range(300)]).collect()
    signed = [xxhash.xxh64(row.digest.encode(), seed=42).intdigest() for row in rows]
    assert [row.bucket for row in rows] == [(n - 2**64 if n >= 2**63 else n) % BUCKETS for n in signed]


def test_nobody_has_no_pseudonym_and_no_bucket(shared_lake):
    (row,) = digest_frame(shared_lake, [None]).collect()
    assert (row.digest, row.bucket) == (None, None)


def test_no_plan_and_no_column_name_shows_the_key(shared_lake):
    frame = digest_frame(shared_lake, ["jane@example.com"])
    printed = io.StringIO()
    with redirect_stdout(printed):
        frame.explain(extended=True)
    text = printed.getvalue() + str(frame.columns) + repr(frame)
    assert "digest" in text
    block = PLANTED.secret.ljust(64, b"\0")
    for pad in (0, 0x36, 0x5C):
        padded = bytes(byte ^ pad for byte in block)
        assert padded.hex() not in text.lower()
        assert padded.decode("latin-1").rstrip("\0")[:16] not in text
        assert ", ".join(str(byte) for byte in padded[:6]) not in text


def test_the_ring_of_a_lake_gives_its_subject_key(lake):
    assert KeyRing(lake.settings.keyring).key(SUBJECT).secret


def test_a_lost_key_ring_is_not_replaced_while_the_lake_holds_pseudonyms(lake):
    ask(lake, "opt-out")
    lake.settings.keyring.unlink()
    with pytest.raises(
        KeyRingError, match="has no key for subject, but the lake holds data made with one; restore the ring"
    ):
        ask(lake, "opt-out", "joe@example.com")
    assert not lake.settings.keyring.exists()
