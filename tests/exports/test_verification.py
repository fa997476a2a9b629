"""A partner sees every change of a package: of each kind of byte, of the list of files, of who made it."""

import base64
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from jobs.errors import UsageError
from jobs.exports.manifests import read_manifest, sign_manifest, write_manifest
from jobs.exports.verification import verify_package
from jobs.privacy.encryption import read_identity
from jobs.privacy.keyring import open_keyring
from jobs.privacy.signatures import Signer, open_signer, read_public_key, write_public_key

from .conftest import DAY, fill_subjects
from .reading import EUROPE, export, folder

IDENTITY = pyrage.x25519.Identity.generate()
ADDITIONS = "additions-0000.parquet"


@pytest.fixture(scope="module")
def made(shared_lake):
    """A small package and a small encrypted one, with the key that signed both."""
    fill_subjects(shared_lake, {"adult": {}, "french": {"country": "FR"}})
    export(shared_lake, EUROPE, DAY)
    sealed = replace(EUROPE, name="sealed", encrypt_to=(str(IDENTITY.to_public()),))
    export(shared_lake, sealed, DAY)
    signer = open_signer(open_keyring(shared_lake.settings))
    return {"plain": folder(shared_lake), "sealed": folder(shared_lake, sealed)}, signer


@pytest.fixture(params=["plain", "sealed"])
def package(request, made, tmp_path):
    """A copy to spoil, and what it is verified with."""
    places, signer = made
    copy = shutil.copytree(places[request.param], tmp_path / "package")
    return copy, signer, IDENTITY if request.param == "sealed" else None


@pytest.fixture
def plain(made, tmp_path):
    places, signer = made
    return shutil.copytree(places["plain"], tmp_path / "package"), signer


def failures(place, signer, identity=None):
    return verify_package(place, signer.public_key, identity).failures


def flip(path: Path, place: int, bits: int = 1):
    content = bytearray(path.read_bytes())
    content[place] ^= bits
    path.write_bytes(bytes(content))


def resign(place, signer, **changes):
    """A manifest with changes that its signer signed."""
    manifest = read_manifest((place / "manifest.json").read_bytes())
    unsigned = {name: value for name, value in {**manifest, **changes}.items() if name != "signature"}
    (place / "manifest.json").write_bytes(write_manifest(sign_manifest(unsigned, signer)))


def test_an_untouched_package_is_genuine(package):
    place, signer, identity = package
    assert failures(place, signer, identity) == []
    assert verify_package(place, signer.public_key, identity).manifest["partner"] in ("adnet-eu", "sealed")


@pytest.mark.parametrize("kind", ["additions", "removals", "app_installs", "conversions"])
@pytest.mark.parametrize("place_in_file", [0, 0.5, -1])
def test_a_flipped_byte_of_a_data_file_is_named(package, kind, place_in_file):
    place, signer, identity = package
    (path,) = place.glob(f"{kind}-*")
    size = path.stat().st_size
    flip(path, int(place_in_file * size) if place_in_file >= 0 else size - 1)
    said = failures(place, signer, identity)
    assert said
    assert all(path.name in sentence for sentence in said)


def test_a_truncated_file_is_named(package):
    place, signer, identity = package
    (path,) = place.glob("additions-*")
    path.write_bytes(path.read_bytes()[:-1])
    assert any(path.name in sentence for sentence in failures(place, signer, identity))


def test_missing_and_foreign_files_are_all_named(package):
    place, signer, identity = package
    for path in [*place.glob("additions-*"), *place.glob("removals-*")]:
        path.unlink()
    (place / "additions-0001.parquet").write_bytes(b"more")
    (place / "folder").mkdir()
    said = failures(place, signer, identity)
    assert len(said) == 4
    assert sum("is missing" in sentence for sentence in said) == 2
    assert sum("is not part of the package" in sentence for sentence in said) == 2


def test_a_package_without_manifest_is_none(package):
    place, signer, identity = package
    for path in place.glob("manifest*"):
        path.rename(path.with_name(f"{path.name}.unfinished"))
    (sentence,) = failures(place, signer, identity)
    assert "There is no manifest.json" in sentence


@pytest.mark.parametrize(
    "change",
    [
        {"partner": "other"},
        {"day": "2024-04-01"},
        {"policy_version": "2030-01-01"},
        {"follows": {"day": "2024-01-01", "manifest_sha256": "0" * 64}},
        {"counts": {"additions": 9, "removals": 0, "app_installs": 0, "conversions": 0}},
        {"files": {}},
    ],
)
def test_a_changed_field_of_the_manifest_breaks_the_signature(plain, change):
    place, signer = plain
    manifest = read_manifest((place / "manifest.json").read_bytes()) | change
    (place / "manifest.json").write_bytes(rfc8785.dumps(manifest))
    assert any("signature does not hold" in sentence for sentence in failures(place, signer))


def test_somebody_elses_package_is_refused_whoever_it_says_it_is_from(plain):
    place, signer = plain
    stranger = Signer(signer.key_id, Ed25519PrivateKey.generate())
    resign(place, stranger)
    (sentence,) = failures(place, signer)
    assert "another public key than yours" in sentence
    manifest = json.loads((place / "manifest.json").read_bytes())
    manifest["signature"]["public_key"] = base64.b64encode(signer.public_key.public_bytes_raw()).decode()
    (place / "manifest.json").write_bytes(rfc8785.dumps(manifest))
    (sentence,) = failures(place, signer)
    assert "signature does not hold" in sentence


def test_a_signature_has_one_spelling(plain):
    place, signer = plain
    manifest = json.loads((place / "manifest.json").read_bytes())
    value = manifest["signature"]["value"]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    same_bytes = value[:-3] + alphabet[alphabet.index(value[-3]) ^ 1] + "=="
    assert base64.b64decode(same_bytes) == base64.b64decode(value)
    manifest["signature"]["value"] = same_bytes
    (place / "manifest.json").write_bytes(rfc8785.dumps(manifest))
    assert any("signature does not hold" in sentence for sentence in failures(place, signer))


def test_the_manifest_has_one_form(plain):
    place, signer = plain
    manifest = json.loads((place / "manifest.json").read_bytes())
    (place / "manifest.json").write_text(json.dumps(manifest, sort_keys=True))
    (sentence,) = failures(place, signer)
    assert "RFC 8785" in sentence


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b'{"format_version":2}', b"[" * 100_000])
def test_a_manifest_that_is_none_is_refused_in_one_sentence(plain, content):
    place, signer = plain
    (place / "manifest.json").write_bytes(content)
    (sentence,) = failures(place, signer)
    assert sentence.startswith("manifest.json cannot be trusted: it is no")


def test_rows_that_are_not_what_the_manifest_says_are_told(plain):
    """What our own mistake would look like: signed, and yet wrong."""
    place, signer = plain
    path = place / ADDITIONS
    table = pq.read_table(path)
    said = {}
    for name, rows in {
        "twice": [0, 0],
        "few": [0],
        "more": [0, 1, 1],
    }.items():
        pq.write_table(table.take(rows), path)
        resign(place, signer, files=remeasured(place))
        said[name] = failures(place, signer)
    assert any("was told already" in sentence for sentence in said["twice"])
    assert any("has 1 rows, the manifest says 2" in sentence for sentence in said["few"])
    assert len(said["more"]) == 2
    pq.write_table(table.drop_columns(["segment"]), path)
    resign(place, signer, files=remeasured(place))
    assert any("has the columns ad_id string, country string" in sentence for sentence in failures(place, signer))
    path.write_bytes(b"no table")
    resign(place, signer, files=remeasured(place))
    assert any("cannot be read as parquet" in sentence for sentence in failures(place, signer))


def test_counts_that_do_not_add_up_are_told(plain):
    place, signer = plain
    resign(place, signer, counts={"additions": 9, "removals": 0, "app_installs": 0, "conversions": 0})
    (sentence,) = failures(place, signer)
    assert "counts 9 additions, but its files sum up to 2" in sentence


def test_an_identifier_added_and_removed_at_once_is_told(plain):
    place, signer = plain
    ids = pq.read_table(place / ADDITIONS).select(["ad_id"])
    pq.write_table(ids.cast(pq.read_table(place / "removals-0000.parquet").schema), place / "removals-0000.parquet")
    files = remeasured(place)
    files["removals-0000.parquet"]["rows"] = 2
    resign(place, signer, files=files, counts={"additions": 2, "removals": 2, "app_installs": 0, "conversions": 0})
    assert any("was told already" in sentence for sentence in failures(place, signer))


def remeasured(place):
    from jobs.exports.checksums import measure_file

    files = json.loads((place / "manifest.json").read_bytes())["files"]
    for name, file in files.items():
        facts = measure_file(place / name)
        file.update(bytes=facts.bytes, xxh3_128=facts.xxh3_128, sha256=facts.sha256)
    return files


def test_an_encrypted_package_opens_for_its_identity_only(made, tmp_path):
    places, signer = made
    names = {path.name for path in places["sealed"].iterdir()}
    assert all(name.endswith(".age") for name in names)
    assert all(
        content.startswith(b"age-encryption.org/v1") for content in map(Path.read_bytes, places["sealed"].iterdir())
    )
    (sentence,) = failures(places["sealed"], signer)
    assert "no --identity was given" in sentence
    (sentence,) = failures(places["sealed"], signer, pyrage.x25519.Identity.generate())
    assert "not encrypted to your identity" in sentence
    path = tmp_path / "key.txt"
    path.write_text(f"# created: today\n# public key: …\n{IDENTITY}\n")
    assert failures(places["sealed"], signer, read_identity(path)) == []


def test_a_manifest_that_is_served_open_instead_of_encrypted_is_told(made, tmp_path):
    places, signer = made
    place = shutil.copytree(places["sealed"], tmp_path / "package")
    content = pyrage.decrypt((place / "manifest.json.age").read_bytes(), [IDENTITY])
    (place / "manifest.json").write_bytes(content)
    said = failures(place, signer, IDENTITY)
    assert any("manifest.json.age is not part of the package" in sentence for sentence in said)
    assert any("encryption is age, but manifest.json differs" in sentence for sentence in said)


@pytest.mark.parametrize("text", ["", "AGE-SECRET-KEY-1NONE", "age1publickey", "a\nb"])
def test_what_is_no_identity_is_refused_without_repeating_it(tmp_path, text):
    (tmp_path / "key.txt").write_text(text)
    with pytest.raises(UsageError, match="is no age identity") as error:
        read_identity(tmp_path / "key.txt")
    assert not text or text not in str(error.value)


def test_a_damaged_public_key_is_refused(made, tmp_path):
    _, signer = made
    pem = write_public_key(signer.public_key)
    path = tmp_path / "sophilux.pub"
    path.write_text(pem.replace("\n", "\r\n"))
    assert read_public_key(path).public_bytes_raw() == signer.public_key.public_bytes_raw()
    refused = 0
    for place in range(len(pem.strip())):
        path.write_text(pem[:place] + ("A" if pem[place] != "A" else "B") + pem[place + 1 :])
        try:
            assert read_public_key(path).public_bytes_raw() != signer.public_key.public_bytes_raw()
        except UsageError:
            refused += 1
    assert refused > 50


def test_a_folder_that_is_not_there_is_wrong_use(made, tmp_path):
    with pytest.raises(UsageError, match="no folder"):
        failures(tmp_path / "none", made[1])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_flipping_any_byte_of_a_package_is_seen(package, data):
    place, signer, identity = package
    path = data.draw(st.sampled_from(sorted(place.iterdir())))
    content = path.read_bytes()
    where = data.draw(st.integers(0, len(content) - 1), label=path.name)
    flip(path, where, data.draw(st.integers(1, 255)))
    try:
        assert failures(place, signer, identity)
    finally:
        path.write_bytes(content)


def test_every_single_byte_of_the_manifest_counts(plain):
    place, signer = plain
    path = place / "manifest.json"
    for where in range(len(path.read_bytes())):
        flip(path, where)
        assert failures(place, signer)
        flip(path, where)
    assert failures(place, signer) == []
