"""Commutative encryption: the algebra holds, published vectors are met, and what is no point gets nowhere."""

import base64
import contextlib
import secrets
import tempfile
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.hashes import SHA512, Hash
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.errors import KeyRingError
from jobs.privacy.pair import commutative
from jobs.privacy.pair.commutative import (
    InvalidPointError,
    check,
    check_batches,
    decrypt,
    derive_scalar,
    encrypt,
    encrypt_batches,
    invert_scalar,
    reencrypt,
    reencrypt_batches,
)

ONE = (1).to_bytes(32, "little")
SEED = bytes([7] * 64)
ORDER = 2**252 + 27742317777372353535851937790883648493
GENERATOR = bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")
IDENTITY = bytes(32)

MULTIPLES = (
    "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
    "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
    "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
)
"""RFC 9496, A.1: one, two and three times the generator."""

MAPPED = {
    "Ristretto is traditionally a short shot of espresso coffee": (
        "3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46"
    ),
    "made with the normal amount of ground coffee but extracted with": (
        "f26e5b6f7d362d2d2a94c5d0e7602cb4773c95a2e5c31a64f133189fa76ed61b"
    ),
    "about half the amount of water in the same amount of time": (
        "006ccd2a9e6867e6a2c5cea83d3302cc9de128dd2a9a57dd8ee7b9d7ffe02826"
    ),
    "by using a finer grind.": "f8f0c87cf237953c5890aec3998169005dae3eca1fbb04548c635953c817f92a",
    "This produces a concentrated shot of coffee per volume.": (
        "ae81e7dedf20a497e10c304a765c1767a42d6e06029758d2d7e8ef7cc4c41179"
    ),
    "Just pulling a normal shot short will produce a weaker shot": (
        "e2705652ff9f5e44d3e841bf1c251cf7dddb77d140870d1ab2ed64f1a9ce8628"
    ),
    "and is not a Ristretto as some believe.": "80bd07262511cdde4863f8a7434cef696750681cb9510eea557088f76d9e5065",
}
"""RFC 9496, A.3: where SHA-512 of a text is mapped to."""

NO_POINTS = (
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
    "c34c4e1826e5d403b78e246e88aa051c36ccf0aafebffe137d148a2bf9104562",
    "c940e5a4404157cfb1628b108db051a8d439e1a421394ec4ebccb9ec92a8ac78",
    "47cfc5497c53dc8e61c91d17fd626ffb1c49e2bca94eed052281b510b1117a24",
    "f1c6165d33367351b0da8f6e4511010c68174a03b6581212c71c0e1d026c3c72",
    "87260f7a2f12495118360f02c26a470f450dadf34a413d21042b43b9d93e1309",
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
    "de6a7b00deadc788eb6b6c8d20c0ae96c2f2019078fa604fee5b87d6e989ad7b",
    "bcab477be20861e01e4a0e295284146a510150d9817763caf1a6f4b422d67042",
    "2a292df7e32cababbd9de088d1d1abec9fc0440f637ed2fba145094dc14bea08",
    "f4a9e534fc0d216c44b218fa0c42d99635a0127ee2e53c712f70609649fdff22",
    "8268436f8c4126196cf64b3c7ddbda90746a378625f9813dd9b8457077256731",
    "2810e5cbc2cc4d4eece54f61c6f69758e289aa7ab440b3cbeaa21995c2f4232b",
    "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
    "a45fdc55c76448c049a1ab33f17023edfb2be3581e9c7aade8a6125215e04220",
    "d483fe813c6ba647ebbfd3ec41adca1c6130c2beeee9d9bf065c8d151c5f396e",
    "8a2e1d30050198c65a54483123960ccc38aef6848e1ec8f5f780e8523769ba32",
    "32888462f8b486c68ad7dd9610be5192bbeaf3b443951ac1a8118419d9fa097b",
    "227142501b9d4355ccba290404bde41575b037693cef1f438c47f8fbf35d1165",
    "5c37cc491da847cfeb9281d407efc41e15144c876e0170b499a96a22ed31e01e",
    "445425117cb8c90edcbc7c1cc0e74f747f2c1efa5630a967c64f287792a48a4b",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)
"""RFC 9496, A.2: bytes that are the encoding of no point."""


def spread(text):
    digest = Hash(SHA512())
    digest.update(text)
    return digest.finalize()


seeds = st.binary().map(spread)
scalars = st.binary(min_size=32, max_size=32).map(derive_scalar)


@settings(deadline=None)
@given(seed=seeds, first=scalars, second=scalars, third=scalars)
def test_the_order_of_keys_does_not_matter(seed, first, second, third):
    one_way = reencrypt(reencrypt(encrypt(seed, first), second), third)
    assert one_way == reencrypt(reencrypt(encrypt(seed, third), first), second)
    assert one_way == reencrypt(reencrypt(encrypt(seed, second), third), first)


@settings(deadline=None)
@given(seed=seeds, first=scalars, second=scalars)
def test_any_layer_comes_off_whichever_was_put_on_last(seed, first, second):
    both = reencrypt(encrypt(seed, first), second)
    assert decrypt(both, first) == encrypt(seed, second)
    assert decrypt(both, second) == encrypt(seed, first)
    assert decrypt(decrypt(both, first), second) == encrypt(seed, ONE)


@settings(deadline=None)
@given(one=seeds, other=seeds, key=scalars)
def test_different_seeds_stay_different(one, other, key):
    assert (encrypt(one, key) == encrypt(other, key)) == (one == other)


@settings(deadline=None)
@given(one=st.binary(min_size=32, max_size=32), other=st.binary(min_size=32, max_size=32))
def test_a_secret_gives_one_reduced_number_and_another_gives_another(one, other):
    scalar = derive_scalar(one)
    assert 0 < int.from_bytes(scalar, "little") < ORDER
    assert (derive_scalar(other) == scalar) == (one == other)


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_a_key_of_another_length_is_refused_without_showing_it(length):
    with pytest.raises(KeyRingError, match=f"has 32 bytes, got {length};") as caught:
        derive_scalar(b"\xab" * length)
    assert "abab" not in str(caught.value)


def test_a_number_and_its_inverse_undo_each_other():
    scalar = derive_scalar(secrets.token_bytes(32))
    product = int.from_bytes(scalar, "little") * int.from_bytes(invert_scalar(scalar), "little")
    assert product % ORDER == 1


def test_the_standard_multiples_of_the_generator():
    assert [reencrypt(GENERATOR, bytes([n]).ljust(32, b"\0")).hex() for n in (1, 2, 3)] == list(MULTIPLES)


@pytest.mark.parametrize("text", MAPPED)
def test_the_standard_map_onto_the_group(text):
    assert encrypt(spread(text.encode()), ONE).hex() == MAPPED[text]


@pytest.mark.parametrize("operation", [lambda point: reencrypt(point, ONE), lambda point: decrypt(point, ONE), check])
@pytest.mark.parametrize("encoding", NO_POINTS)
def test_bytes_that_encode_no_point_are_refused(operation, encoding):
    with pytest.raises(InvalidPointError) as caught:
        operation(bytes.fromhex(encoding))
    assert caught.value.reason == "not_a_point"
    assert encoding not in str(caught.value)


@settings(deadline=None)
@given(seed=seeds, key=scalars)
def test_a_point_with_its_unused_bit_set_is_no_second_spelling_of_it(seed, key):
    point = encrypt(seed, key)
    respelled = point[:-1] + bytes([point[-1] | 0x80])
    for operation in (lambda value: reencrypt(value, key), check):
        with pytest.raises(InvalidPointError) as caught:
            operation(respelled)
        assert caught.value.reason == "not_a_point"


@pytest.mark.parametrize("operation", [lambda point: reencrypt(point, ONE), check])
@pytest.mark.parametrize(
    ("point", "reason"),
    [
        (IDENTITY, "identity_element"),
        (b"", "wrong_length"),
        (GENERATOR[:31], "wrong_length"),
        (GENERATOR + b"\0", "wrong_length"),
    ],
)
def test_the_identity_and_other_lengths_are_refused(operation, point, reason):
    with pytest.raises(InvalidPointError) as caught:
        operation(point)
    assert caught.value.reason == reason


def test_a_seed_that_is_mapped_to_the_identity_is_refused():
    with pytest.raises(InvalidPointError) as caught:
        encrypt(bytes(64), ONE)
    assert caught.value.reason == "identity_element"


@settings(deadline=None)
@given(bits=st.sets(st.integers(0, 255), min_size=1, max_size=3), seed=seeds, key=scalars)
def test_a_tampered_point_is_refused_or_becomes_another(bits, seed, key):
    point = encrypt(seed, key)
    tampered = bytearray(point)
    for bit in bits:
        tampered[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(InvalidPointError):
        assert decrypt(bytes(tampered), key) != encrypt(seed, ONE)


@settings(deadline=None)
@given(values=st.lists(seeds, max_size=20), chunk=st.integers(1, 7), workers=st.integers(1, 3))
def test_batches_give_what_single_values_give_in_their_order(values, chunk, workers):
    key = derive_scalar(bytes(32))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commutative, "CHUNK_ROWS", chunk)
        arrays = [pa.array(values[:5], pa.binary()), pa.array(values[5:], pa.binary())]
        done = list(encrypt_batches(arrays, key, workers=workers))
    assert [point for part in done for point in part.points.to_pylist()] == [encrypt(value, key) for value in values]
    assert sum((part.rejects for part in done), Counter()) == Counter()


def test_batches_leave_out_and_count_what_is_no_point():
    good = encrypt(SEED, ONE)
    bad = [b"", b"short", IDENTITY, IDENTITY, bytes.fromhex(NO_POINTS[0]), None]
    for batches in (reencrypt_batches([pa.array([*bad, good])], ONE), check_batches([pa.array([*bad, good])])):
        (done,) = batches
        assert done.points.to_pylist() == [good]
        assert done.points.type == pa.binary(32)
        assert done.rejects == {"wrong_length": 3, "identity_element": 2, "not_a_point": 1}


def test_batches_use_as_many_threads_as_there_are_cores(monkeypatch):
    asked = []
    pool = commutative.ThreadPoolExecutor
    monkeypatch.setattr(commutative, "ThreadPoolExecutor", lambda threads: asked.append(threads) or pool(threads))
    monkeypatch.setattr(commutative.os, "sched_getaffinity", lambda _: {0, 1, 2})
    list(encrypt_batches([pa.array([SEED])], ONE))
    assert asked == [3]


def test_batches_read_no_further_ahead_than_they_must():
    taken = []

    def read():
        for number in range(100):
            taken.append(number)
            yield pa.array([SEED])

    stream = encrypt_batches(read(), ONE, workers=2)
    next(stream)
    assert len(taken) <= 2 * commutative.AHEAD + 1
    stream.close()


def test_the_unpacked_library_does_not_stay_behind():
    encrypt(SEED, ONE)
    unpacked = Path(commutative._sodium()._sodium._name)
    assert unpacked.parent == Path(tempfile.gettempdir())
    assert not unpacked.exists()


def test_printing_an_error_shows_no_identifier():
    point = bytes.fromhex(NO_POINTS[-1])
    with pytest.raises(InvalidPointError) as caught:
        reencrypt(point, ONE)
    assert base64.b64encode(point).decode() not in repr(caught.value)
