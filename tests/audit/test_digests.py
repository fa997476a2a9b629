"""A hash without a key is found in every usual way to write it."""

import base64

import pytest
import xxhash
from cryptography.hazmat.primitives import hashes
from pyspark.sql import functions as F

from jobs.audit.digests import Digests
from jobs.privacy.emails import PROFILES

ADDRESS = "ada.birkenfeld@example.com"
DIGESTS = Digests([ADDRESS])


def digest(algorithm, text=ADDRESS):
    hashed = hashes.Hash(algorithm)
    hashed.update(text.encode())
    return hashed.finalize()


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA1(), hashes.MD5()], ids=lambda a: a.name)
@pytest.mark.parametrize("text", ["{}", "sha:{}", '"{}"', "a\0{}\0b", "x={}&y"])
def test_hex_and_base64_are_found(algorithm, text):
    hashed = digest(algorithm)
    written = [
        hashed.hex(),
        hashed.hex().upper(),
        base64.b64encode(hashed).decode(),
        base64.urlsafe_b64encode(hashed).decode(),
    ]
    for form in written:
        assert DIGESTS.count(text.format(form).encode()) == 1


def test_the_hashes_of_the_platforms_are_found():
    for profile in PROFILES.values():
        if profile.encoding is not None:
            normalised = profile.normalise_text(" Ada.Birkenfeld+Shop@Gmail.com")
            assert Digests([normalised]).count(profile.digest_text(normalised).encode()) == 1


def test_hashes_of_others_are_not_found():
    assert DIGESTS.count(digest(hashes.SHA256(), "somebody.else@example.com").hex().encode()) == 0
    assert DIGESTS.count((digest(hashes.SHA256()).hex() + "00").encode()) == 0
    assert DIGESTS.count(b"") == 0
    assert Digests([]).count(digest(hashes.SHA256()).hex().encode()) == 0


def test_the_engines_xxhash_is_found_as_it_prints_numbers(lake):
    rows = lake.session.createDataFrame([(ADDRESS,)], "email string")
    (row,) = rows.select(F.xxhash64("email").alias("number")).collect()
    assert DIGESTS.count_numbers([row.number]) == 1
    assert DIGESTS.count(f"{row.number % 2**64:016x}".encode()) == 1


@pytest.mark.parametrize("write", [bytes.hex, lambda hashed: base64.b64encode(hashed).decode()])
def test_hashes_that_are_only_known_as_written_are_found(write):
    written = write(digest(hashes.SHA256()))
    assert Digests([], [written, "no hash"]).count(f"x {written} x".encode()) == 1


def test_long_xxhash_is_found():
    assert DIGESTS.count(xxhash.xxh3_128_hexdigest(ADDRESS.encode()).encode()) == 1
