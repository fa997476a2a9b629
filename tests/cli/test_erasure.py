"""``sophilux retention erase | certificates | certificate | verify``: erasure by hand, and its proof handed out."""

import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from jobs.cli.commands import app
from jobs.erasure import certificates, runs
from jobs.erasure.outcomes import ErasureRequest
from jobs.lake import Lake
from jobs.privacy.keyring import open_keyring
from jobs.privacy.signatures import open_signer, write_public_key
from jobs.settings import load_settings
from tests.erasure import small
from tests.erasure.bytes_below import find_below

COMMANDS = ("erase", "certificates", "certificate", "verify")


def call(home, *args, text=None):
    return CliRunner().invoke(app, ["retention", *map(str, args), "--home", str(home)], input=text)


@pytest.fixture(scope="module")
def template(tmp_path_factory, engine, contracts):
    return small.build(load_settings(str(tmp_path_factory.mktemp("small") / "shop")), engine, contracts)


@pytest.fixture(scope="module")
def erased(template, tmp_path_factory):
    """A lake after ada's erasure; read it, do not write to it."""
    lake = small.copy_to(template, tmp_path_factory.mktemp("erased"))
    runs.erase(lake, [ErasureRequest("request-1", frozenset([small.subject(lake, "ada")]))])
    return lake


@pytest.fixture(scope="module")
def run_id(erased):
    (row,) = certificates.list_kept(erased)
    return row["run_id"]


@pytest.fixture
def file(erased, run_id, tmp_path):
    """The certificate, handed out."""
    path = tmp_path / "certificate.json"
    assert call(erased.home, "certificate", run_id, "--out", path).stdout == f"Written to {path}.\n"
    return path


def is_told(done, code, *parts):
    """True where the answer is one readable line that names nobody."""
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (code, "", 1), done.output
    assert done.stderr.startswith("Error: ")
    assert "unexpected" not in done.stderr
    assert not [value for value in small.values_of("ada") if value.lower() in done.stderr.lower()]
    return all(part in done.stderr for part in parts)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    done = CliRunner().invoke(app, ["retention", command, "--help"])
    assert done.exit_code == 0
    assert f"Example: sophilux retention {command}" in " ".join(done.stdout.split())


def test_certificates_are_listed_with_counts_and_nobodys_name(erased, run_id):
    (told,) = json.loads(call(erased.home, "certificates", "--format", "json").stdout)
    assert (told["run_id"], told["requests"], told["people"], told["pending at partners"]) == (run_id, 1, 1, "none")
    assert told["rows"] > 3
    shown = call(erased.home, "certificates").output
    assert run_id in shown
    assert small.subject(erased, "ada") not in shown


def test_a_lake_without_certificates_has_none(template):
    done = call(template.home, "certificates", "--format", "json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, [])
    assert is_told(call(template.home, "verify", "0123456789abcdef"), 2, "There is no certificate", "runs: none")


def test_a_certificate_is_printed_as_it_was_signed(erased, run_id, file):
    printed = call(erased.home, "certificate", run_id)
    assert printed.exit_code == 0
    assert printed.stdout.strip() == file.read_text()
    assert call(erased.home, "certificate", file).stdout == printed.stdout
    certificates.check_signature(json.loads(file.read_text()), open_signer(open_keyring(erased.settings)).public_key)


def test_a_certificate_that_cannot_be_handed_out_is_one_line(erased, run_id, tmp_path):
    done = call(erased.home, "certificate", run_id, "--out", tmp_path / "nowhere" / "c.json")
    assert is_told(done, 2, "cannot be written (No such file or directory)")
    assert is_told(call(erased.home, "certificate", "no-such-run"), 2, "There is no certificate no-such-run", run_id)
    assert is_told(call(erased.home, "certificate"), 2, "Missing argument 'CERTIFICATE'")


def test_verification_tells_what_it_read_and_that_nothing_was_found(erased, run_id, file, tmp_path):
    done = call(erased.home, "verify", run_id)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("The signature holds. Nothing was found. ")
    assert "identifiers.\n" in done.stdout
    assert call(erased.home, "verify", file).stdout == done.stdout
    key = tmp_path / "public.pem"
    key.write_text(write_public_key(open_signer(open_keyring(erased.settings)).public_key))
    assert call(erased.home, "verify", file, "--public-key", key).stdout == done.stdout


def test_what_is_found_is_told_by_its_place_and_exits_with_1(erased, run_id, tmp_path):
    home = Path(small.copy_to(erased, tmp_path).home)
    (home / "landing" / "late.csv").write_text(f"n;to\n1;x\n2;{small.EMAILS['ada']}\n")
    (home / "notes.txt").write_text(f"call {small.PHONES['ada']}")
    done = call(home, "verify", run_id)
    assert done.exit_code == 1
    told = " ".join(done.stdout.split())
    assert "landing/late.csv line 3 e-mail address of a customer 1" in told
    assert "notes.txt line 1 phone number of a customer 1" in told
    assert "The signature holds. 3 places hold what was erased." in told
    assert not [value for value in small.values_of("ada") if value.lower() in done.output.lower()]


CHANGES = {
    "an edited count": lambda d: {**d, "people": 0},
    "an edited verification": lambda d: {**d, "verification": {**d["verification"], "searched": {}}},
    "other identifiers": lambda d: {**d, "identifiers": {**d["identifiers"], "phrases": {}, "emails": []}},
    "an added field": lambda d: {**d, "note": "all is well"},
    "no signature": lambda d: {**d, "signature": {n: v for n, v in d["signature"].items() if n != "value"}},
    "a signature of another form": lambda d: {**d, "signature": {**d["signature"], "value": 7}},
    "a signature that is no Base64": lambda d: {**d, "signature": {**d["signature"], "value": "é"}},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_certificate_that_was_changed_is_one_line(erased, file, change):
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    assert is_told(call(erased.home, "verify", file), 1, "signature does not hold: somebody changed it")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"run_id": 1}', "\udcff", "[" * 9_000],
    ids=["empty", "torn", "a list", "another document", "no text", "too deep"],
)
def test_what_is_no_certificate_is_one_line(erased, file, text):
    file.write_text(text, errors="surrogateescape")
    assert is_told(
        call(erased.home, "verify", file), 2, "certificate" if text != "\udcff" else "cannot be read as text"
    )


def test_a_certificate_that_cannot_have_been_signed_is_none(erased, file):
    document = json.loads(file.read_text())
    for wrong in ({"signature": "AAAA"}, {"people": float("nan")}, {"people": 10**30}, {"note": "\ud800"}):
        file.write_text(json.dumps(document | wrong))
        for command in ("verify", "certificate"):
            assert is_told(call(erased.home, command, file), 2, "no certificate of erasure")
    file.write_text(json.dumps({**document, "format_version": 99}))
    assert is_told(call(erased.home, "verify", file), 2, "has format 99, this program reads 1")


def test_another_key_is_one_line(erased, file, tmp_path):
    key = tmp_path / "other.pem"
    key.write_text(write_public_key(Ed25519PrivateKey.generate().public_key()))
    done = call(erased.home, "verify", file, "--public-key", key)
    assert is_told(done, 1, "signed with another key", "--public-key")
    key.write_text("no key")
    assert is_told(call(erased.home, "verify", file, "--public-key", key), 2, "no Ed25519 public key in PEM")
    assert is_told(call(erased.home, "verify", file, "--public-key", tmp_path / "none.pem"), 2, "cannot be read")


def test_a_certificate_of_another_lake_is_signed_by_somebody_else(erased, file, tmp_path):
    other = Lake(load_settings(str(tmp_path / "other" / "shop")), erased.engine, erased.contracts)
    open_signer(open_keyring(other.settings))
    Path(other.home).mkdir()
    assert is_told(call(other.home, "verify", file), 1, "signed with another key than the ring's")


def test_without_the_key_of_tombstones_nothing_can_be_recognised(erased, run_id, tmp_path):
    """A ring that was lost and begun anew; the public key still tells who signed."""
    lake = small.copy_to(erased, tmp_path)
    key = tmp_path / "public.pem"
    key.write_text(write_public_key(open_signer(open_keyring(lake.settings)).public_key))
    shutil.rmtree(lake.settings.keyring.parent)
    assert is_told(call(lake.home, "verify", run_id, "--public-key", key), 1, "no key for tombstone", "backup")


def test_nobody_is_erased_without_the_word_for_it(template, tmp_path):
    lake = small.copy_to(template, tmp_path)
    done = call(lake.home, "erase", "--email", "-", text=f"{small.EMAILS['ada']}\n\n")
    assert is_told(done, 2, "1 would be erased for good; nothing was changed. Add --yes")
    assert not lake.exists("ledger.tombstones")
    for wrong in ("abc", "F" * 32):
        assert is_told(call(lake.home, "erase", "--subject", wrong, "--yes"), 2, "32")
    assert is_told(call(lake.home, "erase", "--email", "nobody at shop", "--yes"), 2, "no e-mail addresses")
    done = call(lake.home, "erase")
    assert (done.exit_code, done.stdout) == (0, "There was no run to finish, and nobody to be erased.\n")


def test_people_are_erased_by_hand_and_verified(template, tmp_path):
    lake = small.copy_to(template, tmp_path)
    stranger = "f" * 32
    done = call(lake.home, "erase", "--email", "-", "--subject", stranger, "--yes", text=f"{small.EMAILS['ada']}\n")
    assert done.exit_code == 0, done.output
    (row,) = certificates.list_kept(lake)
    told = " ".join(done.stdout.split())
    assert told.count(row["run_id"]) == 2
    assert f"unknown {row['run_id']}" in told
    assert f"erased {row['run_id']}" in told
    assert not [value for value in (*small.values_of("ada"), stranger) if value.lower() in done.output.lower()]
    assert find_below(lake.home, small.values_of("ada")) == set()
    assert call(lake.home, "verify", row["run_id"]).exit_code == 0


def test_whoever_a_backup_brought_back_is_erased_again_without_their_address(template, erased, tmp_path):
    lake = small.copy_to(erased, tmp_path)
    nobody = call(lake.home, "erase", "--restored")
    assert nobody.stdout == "There was no run to finish, and nobody to be erased.\n"
    shutil.rmtree(lake.location("lake.clicks"))
    shutil.copytree(template.location("lake.clicks"), lake.location("lake.clicks"))
    assert is_told(call(lake.home, "erase", "--restored"), 2, "1 would be erased for good; nothing was changed")
    done = call(lake.home, "erase", "--restored", "--yes")
    assert done.exit_code == 0, done.output
    assert "erased" in done.stdout
    assert find_below(lake.home, small.values_of("ada") | {small.subject(lake, "ada")}) == set()
    assert lake.count("lake.clicks") == 3


def test_a_run_that_died_is_finished_without_naming_anybody(template, tmp_path, monkeypatch):
    lake = small.copy_to(template, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(runs, "bury", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            runs.erase(lake, [ErasureRequest("request-1", frozenset([small.subject(lake, "ada")]))])
    assert find_below(lake.home, small.values_of("ada"))
    done = call(lake.home, "erase")
    assert done.exit_code == 0, done.output
    assert "request-1 erased" in " ".join(done.stdout.split())
    assert find_below(lake.home, small.values_of("ada")) == set()


def test_a_stray_file_is_told_by_its_place_and_the_run_goes_on_once_it_is_gone(template, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "PAUSE_SECONDS", 0)
    lake = small.copy_to(template, tmp_path)
    note = Path(lake.home, "notes.txt")
    note.write_text(f"ask {small.PHONES['ada']}")
    done = call(lake.home, "erase", "--email", small.EMAILS["ada"], "--yes")
    assert is_told(done, 1, "1 places still hold", "notes.txt, line 1: phone number", "run it again")
    note.unlink()
    assert call(lake.home, "erase").exit_code == 0
    assert find_below(lake.home, small.values_of("ada")) == set()
