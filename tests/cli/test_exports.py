"""Commands around packages, ours and the partner's."""

import base64
from pathlib import Path

import pyrage
import pytest
from typer.testing import CliRunner

from jobs.cli.commands import app
from jobs.privacy.keyring import open_keyring, shared_purpose
from tests.exports.conftest import fill_subjects
from tests.exports.reading import read_manifest, read_rows
from tests.exports.test_identities import fill_identities

DAY, NEXT = "2024-03-31", "2024-04-01"
IDENTITY = pyrage.x25519.Identity.generate()
PARTNERS = f"""
partners:
- {{name: adnet, countries: [all], minimum_segment: 2}}
- {{name: sealed, countries: [all], minimum_segment: 2, encrypt_to: {IDENTITY.to_public()}}}
- {{name: loyalty, countries: [all], minimum_segment: 2, kind: shared-key, profile: uid2}}
- {{name: bigads, countries: [all], minimum_segment: 2, kind: platform, platform: uid2, accept_reversible: true,
   reason: the platform takes nothing else}}
- {{name: news, countries: [all], kind: pair}}
"""


def call(*args, home=None, **options):
    chosen = () if home is None else ("--home", str(home))
    return CliRunner().invoke(app, [*map(str, args), *chosen], **options)


@pytest.fixture
def home(lake):
    fill_subjects(lake, {"adult": {}, "french": {}, "opted": {"ads_opt_out": True}})
    fill_identities(lake)
    lake.settings.partners.parent.mkdir(parents=True)
    lake.settings.partners.write_text(PARTNERS)
    return Path(lake.home)


@pytest.fixture
def public_key(home, tmp_path):
    path = tmp_path / "sophilux.pub"
    path.write_text(call("partner-key", home=home).stdout)
    return path


def package(home, partner="adnet", day=DAY):
    return home / "exports" / partner / day


def test_an_export_says_what_is_in_it_and_who_was_kept_out(home):
    done = call("export", "adnet", "--day", DAY, home=home)
    assert done.exit_code == 0, done.output
    assert "additions-0000.parquet" in done.stdout
    assert "1 opted_out" in done.stdout
    assert read_manifest(package(home))["counts"]["additions"] == 2


def test_a_partner_verifies_without_a_lake_or_a_key_ring(home, public_key, tmp_path, monkeypatch):
    call("export", "adnet", "--day", DAY, home=home)
    received = package(home).rename(tmp_path / "received")
    monkeypatch.setenv("SOPHILUX_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setenv("SOPHILUX_KEYRING_FILE", str(tmp_path / "no-ring"))
    monkeypatch.setenv("SOPHILUX_ENGINE", "no such engine")
    done = call("partner-verify", received, "--public-key", public_key)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("Genuine and whole: adnet, 2024-03-31, after nothing; 2 additions, 0 removals")
    assert not (tmp_path / "nowhere").exists()
    assert not (tmp_path / "no-ring").exists()


def test_a_spoilt_package_is_exit_code_1_with_a_sentence_for_each_failure(home, public_key):
    call("export", "adnet", "--day", DAY, home=home)
    (package(home) / "additions-0000.parquet").unlink()
    (package(home) / "removals-0000.parquet").write_bytes(b"short")
    (package(home) / "more.txt").write_text("?")
    done = call("partner-verify", package(home), "--public-key", public_key)
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 4
    for said in ("additions-0000.parquet is missing.", "more.txt is not part of the package.", "5 bytes", "SHA-256"):
        assert said in done.stdout
    assert "Do not use this package." in done.stderr


def test_an_encrypted_package_is_verified_with_the_identity(home, public_key, tmp_path):
    assert call("export", "sealed", "--day", DAY, home=home).exit_code == 0
    (tmp_path / "key.txt").write_text(f"# public key: {IDENTITY.to_public()}\n{IDENTITY}\n")
    args = ("partner-verify", package(home, "sealed"), "--public-key", public_key)
    assert call(*args, "--identity", tmp_path / "key.txt").exit_code == 0
    without = call(*args)
    assert without.exit_code == 1
    assert "no --identity was given" in without.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("partner-verify", "nowhere", "--public-key", "{key}"), "no folder nowhere"),
        (("partner-verify", ".", "--public-key", "nowhere.pub"), "nowhere.pub cannot be read"),
        (("partner-verify", ".", "--public-key", "{home}.keys/keyring.json"), "no Ed25519 public key"),
        (("partner-verify", ".", "--public-key", "{key}", "--identity", "{key}"), "no age identity"),
        (("acknowledge", "adnet", "--day", DAY, "--home", "{home}"), "No package of 2024-03-31 was sent to 'adnet'"),
        (("acknowledge", "../adnet", "--day", DAY, "--home", "{home}"), "was sent to '../adnet'"),
        (("export", "../adnet", "--day", DAY, "--home", "{home}"), "There is no partner '../adnet'"),
        (("export", "news", "--day", DAY, "--home", "{home}"), "its kind is pair"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(home, public_key, args, said):
    done = call(*(arg.format(home=home, key=public_key) for arg in args))
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(home.parent.rglob(DAY))


def test_the_next_package_tells_what_changed_since_the_acknowledgement(home, lake, public_key):
    call("export", "adnet", "--day", DAY, home=home)
    assert call("acknowledge", "adnet", "--day", DAY, home=home).stdout == "Acknowledged.\n"
    assert "before" in call("acknowledge", "adnet", "--day", DAY, home=home).stdout
    again = call("export", "adnet", "--day", DAY, home=home)
    assert again.exit_code == 2
    assert "2024-03-31 already (acknowledged)" in again.stderr
    fill_subjects(lake, {"adult": {}, "second": {"person_id": "adult"}, "other": {}})
    call("export", "adnet", "--day", NEXT, home=home)
    verified = call("partner-verify", package(home, day=NEXT), "--public-key", public_key)
    assert "2024-04-01, after 2024-03-31; 3 additions, 2 removals" in verified.stdout


def test_a_package_that_was_made_anew_is_not_acknowledged_for_the_one_that_was_fetched(home, lake, public_key):
    call("export", "adnet", "--day", DAY, home=home)
    fetched = call("partner-verify", package(home), "--public-key", public_key).stdout.split()[-1].rstrip(".")
    fill_subjects(lake, {"adult": {}, "second": {"person_id": "adult"}, "other": {}})
    call("export", "adnet", "--day", DAY, home=home)
    stale = call("acknowledge", "adnet", "--day", DAY, "--manifest", fetched, home=home)
    assert stale.exit_code == 2
    assert "the partner applied another" in stale.stderr
    sent = call("partner-verify", package(home), "--public-key", public_key).stdout.split()[-1].rstrip(".")
    done = call("acknowledge", "adnet", "--day", DAY, "--manifest", sent.upper(), home=home)
    assert (sent != fetched, done.stdout) == (True, "Acknowledged.\n")


def test_a_partner_makes_the_identifiers_of_its_own_customers(home, lake, tmp_path):
    """What ``identify`` prints for an address is what stands in the partner's package."""
    secret = bytes(range(32))
    open_keyring(lake.settings).put(shared_purpose("loyalty"), secret)
    key_file = tmp_path / "shared.key"
    key_file.write_text(base64.b64encode(secret).decode())
    key_file.chmod(0o600)
    addresses = "Adult@Shop.example\nfrench@shop.example\n"
    for partner, options in {"loyalty": ("--key-file", key_file), "bigads": ()}.items():
        assert call("export", partner, "--day", DAY, home=home).exit_code == 0
        told = {row["ad_id"] for row in read_rows(package(home, partner), "additions")}
        made = call("identify", "--profile", "uid2", *options, input=addresses)
        assert made.exit_code == 0, made.output
        assert set(made.stdout.split()) == told


def test_a_partner_without_its_shared_key_is_told_how_to_put_it_in(home):
    done = call("export", "loyalty", "--day", DAY, home=home)
    assert done.exit_code == 1
    assert "sophilux keys import shared/loyalty" in done.stderr
