"""``sophilux keys``: no secret is ever printed, and what cannot be undone is asked for twice."""

import base64
import json
import os
import pwd
from datetime import date

import pytest

from jobs.lake import Lake
from jobs.privacy.key_events import KEY_EVENTS
from jobs.privacy.keyring import SIGNING, SUBJECT, KeyRing
from jobs.settings import load_settings
from tests.cli.test_cli import call

PARTNER = "partner/adnet/2026Q4"
SECRET = bytes(range(32))


@pytest.fixture
def home(tmp_path):
    (tmp_path / "shop").mkdir()
    return tmp_path / "shop"


@pytest.fixture
def ring(home):
    ring = KeyRing(load_settings(str(home)).keyring)
    ring.put(SUBJECT, SECRET)
    ring.key(PARTNER)
    return ring


def keys(*args, home, answer=None):
    from typer.testing import CliRunner

    from jobs.cli.commands import app

    return CliRunner().invoke(app, ["keys", *args, "--home", str(home)], input=answer)


def states(home):
    listed = json.loads(keys("list", "--format", "json", home=home).stdout)
    return {row["purpose"]: row["state"] for row in listed}


def events(home):
    rows = Lake.open(load_settings(str(home))).read_records(KEY_EVENTS)
    return [(row["purpose"], row["event"], row["by"]) for row in rows]


@pytest.mark.parametrize("command", ["list", "rotate", "destroy", "make", "import", "seal"])
def test_every_command_has_help_with_an_example(command):
    done = call("keys", command, "--help")
    assert done.exit_code == 0
    assert f"Example: sophilux keys {command}" in " ".join(done.stdout.split())


def test_without_a_command_there_is_help():
    done = call("keys")
    assert done.exit_code == 0
    assert "destroy" in done.stdout


def test_the_list_names_keys_and_shows_no_secret(home, ring):
    ring.destroy(PARTNER)
    done = keys("list", home=home)
    assert done.exit_code == 0
    (gone,) = (entry for entry in ring.entries() if entry.purpose == PARTNER)
    assert gone.key_id in done.stdout
    assert f"destroyed {gone.destroyed_at:%Y-%m-%d}" in done.stdout
    for shown in (base64.b64encode(SECRET).decode(), SECRET.hex(), SECRET.hex().upper()):
        assert shown not in done.output


def test_an_empty_list_makes_no_ring(home, tmp_path):
    assert keys("list", home=tmp_path / "nowhere").exit_code == 0
    assert os.listdir(tmp_path) == ["shop"]


def test_the_list_tells_what_is_past_its_day_lost_or_back(home, ring):
    ring.put("partner/adnet/2020Q1", SECRET[::-1], not_after=date(2020, 4, 30))
    assert states(home)["partner/adnet/2020Q1"] == "past its last day"
    backup = load_settings(str(home)).keyring.read_bytes()
    assert keys("rotate", home=home).exit_code == 0
    load_settings(str(home)).keyring.write_bytes(backup)
    assert states(home)["partner/adnet/2020Q1"] == "destroyed before, back in the ring"
    load_settings(str(home)).keyring.unlink()
    done = keys("list", home=home)
    assert done.stdout.count("not in the ring") == 2
    assert "The ring and the ledger differ" in done.stderr


def test_rotating_destroys_what_is_past_its_last_day(home, ring):
    ring.key("partner/adnet/2020Q1")
    done = keys("rotate", home=home)
    assert done.exit_code == 0
    assert done.stdout.startswith("Destroyed partner/adnet/2020Q1 (")
    assert keys("rotate", home=home).stdout == "No key is past its last day.\n"


def test_rotating_signing_is_recorded(home, ring):
    former = ring.key(SIGNING)
    done = keys("rotate", SIGNING, home=home)
    assert done.exit_code == 0
    assert ring.find(SIGNING).key_id in done.stdout
    account = pwd.getpwuid(os.getuid()).pw_name
    assert (SIGNING, "destroyed", account) in events(home)
    assert ring.find(SIGNING).key_id != former.key_id


def test_destroying_asks_says_what_it_means_and_is_recorded(home, ring):
    declined = keys("destroy", PARTNER, home=home, answer="n\n")
    assert declined.exit_code == 1
    assert "this partner's identifiers of the epoch can never be made or recognised again" in declined.output
    assert ring.find(PARTNER)
    done = keys("destroy", PARTNER, home=home, answer="y\n")
    assert done.exit_code == 0
    assert "Copies in backups of the ring are not" in done.stdout
    assert ring.find(PARTNER) is None
    assert (PARTNER, "destroyed", pwd.getpwuid(os.getuid()).pw_name) in events(home)


def test_without_an_answer_nothing_is_destroyed(home, ring):
    assert keys("destroy", PARTNER, home=home, answer="").exit_code == 1
    assert ring.find(PARTNER)


def test_destroying_again_says_when_it_was(home, ring):
    keys("destroy", PARTNER, "--yes", home=home)
    again = keys("destroy", PARTNER, home=home)
    assert again.exit_code == 0
    assert "was destroyed" in again.stdout
    assert len([event for event in events(home) if event[:2] == (PARTNER, "destroyed")]) == 1


def test_a_destroyed_purpose_is_never_made_again(home, ring):
    keys("destroy", PARTNER, "--yes", home=home)
    done = keys("make", PARTNER, home=home)
    assert done.exit_code == 1
    assert done.stderr.endswith("that is final.\n")


def test_the_key_of_all_pseudonyms_needs_a_flag_of_its_own(home, ring):
    done = keys("destroy", SUBJECT, "--yes", home=home)
    assert done.exit_code == 2
    assert "opt-outs, access, correction and erasure of everybody in the lake can never be served" in done.stderr
    assert ring.find(SUBJECT)
    assert keys("destroy", SUBJECT, "--end-everything", home=home, answer="n\n").exit_code == 1
    assert ring.find(SUBJECT)
    assert keys("destroy", SUBJECT, "--end-everything", "--yes", home=home).exit_code == 0
    assert ring.find(SUBJECT) is None


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("destroy", "signing"), "'sophilux keys rotate signing' replaces it"),
        (("destroy", "partner/x/2026Q1"), "has no key for partner/x/2026Q1"),
        (("destroy", "budget", "--yes", "--end-everything"), "has no key for budget"),
        (("rotate", "subject"), "Only the keys for signing and shuffle"),
        (("import", "subject", "--key-file", "-"), "Only keys of partners are taken in"),
        (("import", "shared/", "--key-file", "-"), "Only keys of partners are taken in"),
        (("import", "shared/x", "--key-file", "/nowhere"), "The key file /nowhere cannot be read"),
        (("import", "shared/x", "--key-file", "-"), "got something else"),
        (("seal",), "SOPHILUX_KEYRING_PROVIDER must be kms"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(home, ring, args, said):
    before = load_settings(str(home)).keyring.read_bytes()
    done = keys(*args, home=home, answer="c0ffee")
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert "c0ffee" not in done.output
    assert load_settings(str(home)).keyring.read_bytes() == before


@pytest.mark.parametrize("text", [SECRET.hex() + "\n", SECRET.hex().upper(), base64.b64encode(SECRET).decode()])
def test_a_partners_key_is_taken_in(home, ring, tmp_path, text):
    (tmp_path / "key").write_text(text)
    done = keys("import", "shared/loyalty", "--key-file", str(tmp_path / "key"), home=home)
    assert done.exit_code == 0, done.output
    assert ring.find("shared/loyalty").secret == SECRET
    assert text.strip() not in done.output


def test_another_key_of_a_partner_replaces_the_first_only_when_asked(home, ring):
    assert keys("import", "shared/x", "--key-file", "-", home=home, answer=SECRET.hex()).exit_code == 0
    refused = keys("import", "shared/x", "--key-file", "-", home=home, answer=SECRET[::-1].hex())
    assert refused.exit_code == 1
    assert "has another key for shared/x" in refused.stderr
    assert (
        keys("import", "shared/x", "--key-file", "-", "--replace", home=home, answer=SECRET[::-1].hex()).exit_code == 0
    )
    assert ring.find("shared/x").secret == SECRET[::-1]


def test_a_key_made_ahead_has_its_epochs_last_day(home):
    assert keys("make", PARTNER, home=home).exit_code == 0
    assert keys("make", "pair/x/2026Q4", "--not-after", "2026-12-24", home=home).exit_code == 0
    last = {entry.purpose: str(entry.not_after) for entry in KeyRing(load_settings(str(home)).keyring).entries()}
    assert last == {PARTNER: "2027-01-30", "pair/x/2026Q4": "2026-12-24"}


def test_a_wrong_provider_is_one_line(home, monkeypatch):
    monkeypatch.setenv("SOPHILUX_KEYRING_PROVIDER", "vault")
    done = keys("list", home=home)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "SOPHILUX_KEYRING_PROVIDER" in done.stderr


def test_a_ring_is_sealed_with_kms(home, ring, monkeypatch, aws):
    monkeypatch.setenv("SOPHILUX_KEYRING_PROVIDER", "kms")
    monkeypatch.setenv("SOPHILUX_KEYRING_KMS_KEY", aws.create_key()["KeyMetadata"]["KeyId"])
    done = keys("seal", home=home)
    assert done.stdout.startswith("2 keys are sealed.")
    assert base64.b64encode(SECRET).decode() not in load_settings(str(home)).keyring.read_text()
    assert states(home) == {SUBJECT: "in use", PARTNER: "in use"}
    assert keys("destroy", PARTNER, "--yes", home=home).exit_code == 0
