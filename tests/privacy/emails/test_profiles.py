"""Each profile gives the same for a column and for a text, and what its platform publishes."""

import pickle
import subprocess
import sys
import traceback

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from pyspark import cloudpickle
from pyspark.sql import functions as F

from jobs.cli.identify import NAMES
from jobs.errors import UsageError
from jobs.privacy import emails
from jobs.privacy.emails import PROFILES, InvalidAddressError
from tests.bench.identifiers import hash_as_uid2, normalise_as_uid2
from tests.privacy.emails.written import addresses, hostile, many, normalise_all, text_or_none

HASHED = [profile for profile in PROFILES.values() if profile.encoding]

# uid2-client-python, tests/test_normalization.py, and unifiedid.com/docs/getting-started/gs-normalization-encoding
UID2_VECTORS = [
    ("TEst.TEST@Test.com ", "test.test@test.com", "dvECjPKZHya0/SIhSGwP0m8SgTv1vzLxPULUOsm880M="),
    ("test.test@gmail.com", "testtest@gmail.com", "LkLfFrut8Tc3h/fIvYDiBKSbaMiau/DtaLBPQYszdMw="),
    ("test+test@test.com", "test+test@test.com", "rQ4yzdOz4uG8N54326QyZD6/JwqrXn4lmy34cVCojB8="),
    ("+test@test.com", "+test@test.com", "weFizOVVWKlLfyorbBU8oxYDv4HJtTZCPMyZ4THzUQE="),
    ("test+test@gmail.com", "test@gmail.com", "h5JGBrQTGorO7q6IaFMfu5cSqqB6XTp1aybOD11spnQ="),
    ("  testtest@test.com  ", "testtest@test.com", "d1Lr/s4GLLX3SvQVMoQdIMfbQPMAGZYry+2V+0pZlQg="),
    ("TEst.TEst+123@GMail.Com", "testtest@gmail.com", "LkLfFrut8Tc3h/fIvYDiBKSbaMiau/DtaLBPQYszdMw="),
    ("😊testtest@test.com", "😊testtest@test.com", "fAFEUqApQ0V/M9mLj/IO54CgKgtQuARKsOMqtFklD4k="),
    ("testtest@😊test.com", "testtest@😊test.com", "tcng5pttf7Y2z4ylZTROvIMw1+IVrMpR4D1KeXSrdiM="),
    ("testtest@test.com😊", "testtest@test.com😊", "0qI21FPLkuez/8RswfmircHPYz9Dtf7/Nch1rSWEQf0="),
    ("USER@example.com", "user@example.com", "tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ="),
    ("MyEmail@example.com", "myemail@example.com", "FsGNM28LJQ8OLZB0Us65ZYp07NrovJSGTCMSKnLMJ6U="),
    ("My.Email@example.com", "my.email@example.com", "4itTvG+HEnTzpiqzejyu1yFPwU1nYhWpaiQvz62hyB8="),
    ("JaneSaoirse+Work@example.com", "janesaoirse+work@example.com", "KKruSBUjDNO069iMUVImVQZm6RrAGZKeOtrD9mwogYA="),
    ("JANE.SAOIRSE@gmail.com", "janesaoirse@gmail.com", "ku4mBX7Z3qJTXWyLFB1INzkyR2WZGW4ANSJUiW21iI8="),
    ("JaneSaoirse+Work@gmail.com", "janesaoirse@gmail.com", "ku4mBX7Z3qJTXWyLFB1INzkyR2WZGW4ANSJUiW21iI8="),
]
# the same file
UID2_REFUSED = ["", " @", "@", "a@", "@b", "@b.com", "+", " ", "+@gmail.com", ".+@gmail.com", "a@ba@z.com"]
ALEXZ = "509e933019bb285a134a9334b8bb679dff79d0ce023d529af4bd744d47b4fd8a"
# googleads/data-manager-python, tests/formatter_test.py; the plus of google-ads and the data manager's docs
GOOGLE_VECTORS = [
    ("  ALEXZ@example.com   ", "alexz@example.com", ALEXZ),
    ("QuinnY@EXAMPLE.com", "quinny@example.com", None),
    ("Jefferson.Loves.hiking@gmail.com", "jeffersonloveshiking@gmail.com", None),
    ("Jefferson.LOVES.Hiking@googlemail.com", "jeffersonloveshiking@googlemail.com", None),
    ("user.name+NYC@Example.com", "user.name+nyc@example.com", None),
]
VECTORS = {
    "uid2": UID2_VECTORS,
    "google": [
        *GOOGLE_VECTORS,
        ("Cloudy.SanFrancisco+shopping@gmail.com", "cloudysanfrancisco@gmail.com", None),
        ("Cloudy.SanFrancisco+shopping@googlemail.com", "cloudysanfrancisco@googlemail.com", None),
    ],
    "google-data-manager": [
        *GOOGLE_VECTORS,
        ("Cloudy.SanFrancisco+shopping@gmail.com", "cloudysanfrancisco+shopping@gmail.com", None),
    ],
    # developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters
    "meta": [
        (
            "John_Smith@gmail.com",
            "john_smith@gmail.com",
            "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f",
        ),
        (f" {ALEXZ.upper()}\n", ALEXZ, ALEXZ),
        (ALEXZ[:32], ALEXZ[:32], ALEXZ[:32]),
    ],
    # IAB Tech Lab, PAIR 1.1, table 1: the example is the hash of this address
    "pair": [
        ("User@Example.com", "user@example.com", "b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514"),
        ("U.ser+x@GMail.com", "u.ser+x@gmail.com", None),
        ("É@example.com", "É@example.com", None),
    ],
}
REFUSED = {
    "uid2": [*UID2_REFUSED, "a b@example.com", "a@exam ple.com"],
    "google": ["", "  ", "quinn", " @googlemail.com", " ...@gmail.com", "+a@gmail.com", "a@b@c"],
    "google-data-manager": ["", "  ", "quinn", " @googlemail.com", " ...@gmail.com", "a b@example.com", "a@\u2003b.c"],
    "meta": ["", "quinn", "a@b@c", ALEXZ[:33], ALEXZ + "0", f"{ALEXZ[:31]} 0"],
    "pair": ["", "quinn", "@b", "a@", "a@b@c"],
}


@pytest.mark.parametrize("name", VECTORS)
def test_a_column_gives_what_the_platform_publishes(shared_lake, name):
    profile, vectors = PROFILES[name], VECTORS[name]
    frame = shared_lake.session.createDataFrame(
        [(place, written) for place, (written, *_) in enumerate(vectors)], "place int, written string"
    )
    normalised = frame.withColumn("normalised", profile.normalise(F.col("written")))
    rows = normalised.withColumn("digest", profile.digest(F.col("normalised"))).orderBy("place").collect()
    assert [row.normalised for row in rows] == [expected for _, expected, _ in vectors]
    assert all(row.digest == digest for row, (_, _, digest) in zip(rows, vectors, strict=True) if digest)


@pytest.mark.parametrize(("name", "written", "normalised", "digest"), [(n, *v) for n in VECTORS for v in VECTORS[n]])
def test_a_text_gives_what_the_platform_publishes(name, written, normalised, digest):
    assert PROFILES[name].normalise_text(written) == normalised
    assert digest is None or PROFILES[name].digest_text(normalised) == digest


@pytest.mark.parametrize(("name", "written"), [(name, written) for name in REFUSED for written in REFUSED[name]])
def test_what_is_no_address_is_refused_with_a_reason(name, written):
    with pytest.raises(InvalidAddressError) as caught:
        PROFILES[name].normalise_text(written)
    assert str(caught.value)


def test_what_is_no_address_is_null(shared_lake):
    for name, written in REFUSED.items():
        assert normalise_all(shared_lake, written, [PROFILES[name]]) == [(None,)] * len(written)


@given(many(hostile))
@hypothesis_settings(max_examples=20, deadline=None)
def test_a_column_and_a_text_agree_under_every_profile(shared_lake, written):
    expected = [tuple(text_or_none(profile, address) for profile in PROFILES.values()) for address in written]
    assert normalise_all(shared_lake, written) == expected


@given(many(addresses))
@hypothesis_settings(max_examples=10, deadline=None)
def test_the_digests_of_a_column_and_a_text_agree(shared_lake, written):
    frame = shared_lake.session.createDataFrame(list(enumerate(written)), "place int, address string")
    columns = [profile.digest(profile.normalise(F.col("address"))).alias(profile.name) for profile in HASHED]
    rows = frame.select("place", *columns).orderBy("place").collect()
    for address, (_, *digests) in zip(written, rows, strict=True):
        normalised = [text_or_none(profile, address) for profile in HASHED]
        expected = [n and profile.digest_text(n) for profile, n in zip(HASHED, normalised, strict=True)]
        assert digests == expected


@given(many(hostile))
@hypothesis_settings(max_examples=50, deadline=None)
def test_normalising_twice_changes_nothing(written):
    for profile in PROFILES.values():
        for address in written:
            once = text_or_none(profile, address)
            assert once is None or profile.normalise_text(once) == once


@given(many(hostile))
@hypothesis_settings(max_examples=50, deadline=None)
def test_the_yardstick_of_the_bench_applies_the_same_rules(written):
    for address in written:
        expected = text_or_none(PROFILES["uid2"], address)
        trimmed = address.strip(" ")
        if " " not in trimmed:
            assert normalise_as_uid2(address) == expected
            assert hash_as_uid2(address) == (expected and PROFILES["uid2"].digest_text(expected))


@pytest.mark.parametrize("name", PROFILES)
def test_half_a_character_is_no_address(name):
    with pytest.raises(InvalidAddressError, match="Unicode"):
        PROFILES[name].normalise_text("jane\ud800@example.com")


@pytest.mark.parametrize("written", ["jane.doe", "jane.doe@@example.com", "jane\u200b@exam\u2003plé", "jané@\ud800x"])
def test_an_error_never_holds_the_address(written):
    for profile in PROFILES.values():
        if text_or_none(profile, written) is None:
            with pytest.raises(InvalidAddressError) as caught:
                profile.normalise_text(written)
            assert "jan" not in "".join(traceback.format_exception(caught.value))


def test_profiles_are_found_by_name_and_state_their_version():
    assert {name: profile.label for name, profile in PROFILES.items()} == {
        "sophilux": "sophilux/2",
        "uid2": "uid2/1",
        "google": "google/1",
        "google-data-manager": "google-data-manager/1",
        "meta": "meta/1",
        "pair": "pair/1",
    }
    assert tuple(PROFILES) == NAMES


def test_our_own_profile_has_no_digest_without_a_key():
    with pytest.raises(UsageError, match="sophilux has no digest without a key"):
        PROFILES["sophilux"].digest_text("jane@example.com")


def test_the_same_address_has_an_identifier_of_its_own_under_most_profiles():
    written = " Jane.Doe+Home@GMail.com "
    assert [profile.normalise_text(written) for profile in PROFILES.values()] == [
        "janedoe@gmail.com",
        "janedoe@gmail.com",
        "janedoe@gmail.com",
        "janedoe+home@gmail.com",
        "jane.doe+home@gmail.com",
        " jane.doe+home@gmail.com ",
    ]


@pytest.mark.parametrize("name", PROFILES)
def test_a_rule_travels_without_this_code(tmp_path, name):
    cloudpickle.register_pickle_by_value(emails)
    rule = tmp_path / "rule"
    rule.write_bytes(cloudpickle.dumps(PROFILES[name].text_rule))
    script = f"""
import pickle, sys
sys.modules["jobs"] = None
print(pickle.load(open({str(rule)!r}, "rb"))("JÜRGEN@xn--mller-kva.example"))
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == PROFILES[name].normalise_text("JÜRGEN@xn--mller-kva.example")
    assert pickle.loads(rule.read_bytes())
