"""Identifiers of a column and of a text agree, and are HMAC-SHA-256 under the key that their prefix names."""

import hmac
import re

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.privacy.emails import PROFILES
from jobs.privacy.identifiers import SHAPE, ad_id, ad_id_text, as_shared, identify_under
from jobs.privacy.keyring import Key
from jobs.privacy.pseudonyms import key_relation, keyed_digest, with_keys
from tests.privacy.emails.written import addresses, many, text_or_none

KEY = Key("partner/adnet/2026Q4", "0a1b2c3d", bytes(range(32)))
secrets_ = st.binary(min_size=32, max_size=32)


def identify_column(lake, texts, key, make=lambda text: text):
    keys = key_relation(lake.session, ad=key)
    frame = lake.session.createDataFrame(list(enumerate(texts)), "place int, text string")
    made = with_keys(frame, keys).select("place", ad_id(make(F.col("text")), "ad", key).alias("ad_id"))
    return [row.ad_id for row in made.orderBy("place").collect()]


def test_an_identifier_names_its_version_and_key():
    made = ad_id_text("0123456789abcdef", KEY)
    digest = hmac.new(KEY.secret, b"0123456789abcdef", "sha256").hexdigest()
    assert made == f"sx1-0a1b2c3d-{digest[:32]}"
    assert re.fullmatch(SHAPE, made)


@given(many(st.text(max_size=100)), secrets_)
@hypothesis_settings(max_examples=15, deadline=None)
def test_a_column_and_a_text_agree(shared_lake, texts, secret):
    key = Key("partner/adnet/2026Q4", "0a1b2c3d", secret)
    expected = [f"sx1-0a1b2c3d-{hmac.new(secret, text.encode(), 'sha256').hexdigest()[:32]}" for text in texts]
    assert identify_column(shared_lake, texts, key) == expected
    assert [ad_id_text(text, key) for text in texts] == expected
    assert list(map(identify_under(key), texts)) == expected


@given(many(addresses), secrets_)
@hypothesis_settings(max_examples=10, deadline=None)
def test_a_column_and_a_text_agree_on_addresses_under_a_shared_key(shared_lake, written, secret):
    key = as_shared(Key("shared/loyalty", "ffffffff", secret))
    for profile in (PROFILES["sophilux"], PROFILES["google"]):
        normalised = [text_or_none(profile, address) for address in written]
        expected = [None if address is None else ad_id_text(address, key) for address in normalised]
        assert identify_column(shared_lake, written, key, profile.normalise) == expected


def test_nobody_has_no_identifier(shared_lake):
    assert identify_column(shared_lake, [None], KEY) == [None]


def test_the_prefix_does_not_change_the_digest(shared_lake):
    frame = shared_lake.session.createDataFrame([("a",)], "text string")
    keyed = with_keys(frame, key_relation(shared_lake.session, ad=KEY)).select(keyed_digest(F.col("text"), "ad"))
    assert ad_id_text("a", KEY).endswith(keyed.collect()[0][0])


def test_whoever_holds_a_shared_key_gives_it_the_same_id():
    ours = as_shared(Key("shared/loyalty", "12345678", KEY.secret))
    theirs = as_shared(Key("", "", KEY.secret))
    assert ours.key_id == theirs.key_id == hmac.new(KEY.secret, b"sophilux key id", "sha256").hexdigest()[:8]
    assert ours.purpose == "shared/loyalty"
    assert as_shared(Key("", "", bytes(32))).key_id != ours.key_id


def test_the_key_shows_in_no_identifier_and_no_plan(shared_lake, capsys):
    keys = key_relation(shared_lake.session, ad=KEY)
    frame = shared_lake.session.createDataFrame([("a",)], "text string")
    made = with_keys(frame, keys).select(ad_id(F.col("text"), "ad", KEY))
    made.explain(extended=True)
    printed = capsys.readouterr().out + str(made.columns) + repr(KEY)
    assert KEY.key_id in printed
    assert KEY.secret.hex() not in printed.lower()
    assert repr(KEY.secret)[2:20] not in printed
