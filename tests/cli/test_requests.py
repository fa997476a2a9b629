"""``sophilux request``: record, list, show, approve, refuse."""

import json
import zipfile
from pathlib import Path

import pyrage
import pytest
from typer.testing import CliRunner

from jobs.cli.commands import app
from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.rights import request_ledger as ledger


@pytest.fixture
def home(lake):
    return Path(lake.home)


@pytest.fixture
def lake(lake):
    return Lake.open(lake.settings)


def call(home, *args, text=None):
    return CliRunner().invoke(app, ["request", *map(str, args), "--home", str(home)], input=text)


def only(lake):
    (row,) = ledger.read_requests(lake)
    return row[C.REQUEST_ID]


@pytest.mark.parametrize("command", ["new", "list", "show", "approve", "refuse", "serve", "answer", "check"])
def test_every_command_has_help_with_an_example(command):
    done = CliRunner().invoke(app, ["request", command, "--help"])
    assert done.exit_code == 0
    assert f"Example: sophilux request {command}" in " ".join(done.stdout.split())


def test_a_request_is_recorded_and_told(home, lake):
    done = call(home, "new", "access", "--email", "-", text="jane@shop.example\n")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"Recorded as {only(lake)}, due 2")
    assert "No account with this address is known." in done.stdout
    again = call(home, "new", "access", "--email", "Jane@shop.example")
    assert f"It was recorded before as {only(lake)} (open, due" in again.stdout


def test_serving_tells_of_what_waits_for_somebody_to_agree(home, lake):
    call(home, "new", "erase", "--email", "jane@shop.example")
    done = call(home, "serve")
    assert "There is nothing to serve.\n1 to erase wait for an agreement, which" in done.stdout
    assert "'sophilux request approve ID'" in done.stdout


def test_an_opt_out_is_served_at_once(home, lake):
    assert call(home, "new", "opt-out", "--email", "jane@shop.example").exit_code == 0
    assert [row[C.IS_OPT_OUT] for row in lake.read_records("ledger.choices")] == [True]
    shown = call(home, "show", only(lake))
    assert "opt-out, served, received" in shown.stdout
    assert "The person is told: You are in no advertising export from now on" in shown.stdout
    assert call(home, "list").stdout.count("opt-out") == 0
    assert call(home, "list", "--all").stdout.count("opt-out") == 1


def test_a_correction_keeps_its_values_out_of_sight(home, lake):
    done = call(
        home, "new", "correct", "--email", "jane@shop.example", "--set", "city=Castrop", "--set", "phone=0301234567"
    )
    assert done.exit_code == 0, done.output
    rest = [call(home, "show", only(lake)).output, call(home, "list", "--format", "json").output, done.output]
    assert not any("Castrop" in text or "jane" in text or "0301234567" in text for text in rest)


def test_a_file_is_recorded_whole_or_not_at_all(home, lake, tmp_path):
    file = tmp_path / "requests.csv"
    file.write_text("email,kind\njane@shop.example,access\njoe,access\n")
    done = call(home, "new", "--from-file", file)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "1 of 2 rows are wrong; nothing was recorded:\nline 3: The address is no e-mail address: no @" in done.stderr
    assert not lake.exists("ledger.requests")
    good = file.read_text().replace("joe", "joe@shop.example")
    done = call(home, "new", "erase", "--from-file", "-", text=good)
    assert "2 recorded, 0 were there before; 2 without an account." in done.stdout
    assert {row[C.KIND] for row in ledger.read_requests(lake)} == {"access"}


def test_the_most_urgent_is_listed_first_with_its_days_left(home, lake):
    call(home, "new", "erase", "--email", "jane@shop.example")
    rows = json.loads(call(home, "list", "--format", "json").stdout)
    assert [(row["kind"], row["state"], row["days left"], row["approved"]) for row in rows] == [
        ("erase", "open", 15, False)
    ]
    assert call(home, "approve", only(lake)).stdout == "1 approved.\n"
    assert json.loads(call(home, "list", "--format", "json").stdout)[0]["approved"] is True


def test_a_refusal_tells_its_reason(home, lake):
    call(home, "new", "access", "--email", "jane@shop.example")
    assert call(home, "refuse", only(lake), "--reason", "identity").stdout == "1 refused.\n"
    shown = call(home, "show", only(lake)).stdout
    assert "The person is told: We could not make sure that the request comes from" in shown
    assert [row["event"] for row in json.loads(call(home, "show", only(lake), "--format", "json").stdout)] == [
        "received", "refused",
    ]  # fmt: skip
    assert lake.read_records("vault.request_payloads") == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("new", "access"), "Give either --email or --from-file."),
        (("new", "access", "--email", "a@b.example", "--from-file", "x"), "Give either --email or --from-file."),
        (("new", "access", "--email", "jane"), "The address is no e-mail address: no @."),
        (("new", "--email", "a@b.example"), "kind must be one of access, erase, correct, opt-out, opt-in"),
        (("new", "forget", "--email", "a@b.example"), "kind must be one of"),
        (("new", "correct", "--email", "a@b.example", "--set", "city"), "--set takes FIELD=VALUE"),
        (
            ("new", "correct", "--email", "a@b.example", "--set", "shoe=44"),
            "cannot be corrected; what can is full_name",
        ),
        (("new", "access", "--email", "a@b.example", "--purpose", "ads"), "purpose can only come with opt-out"),
        (
            ("new", "opt-out", "--email", "a@b.example", "--purpose", "mail"),
            "purpose must be one of ads, personalisation",
        ),
        (("new", "--from-file", "/nowhere"), "The file cannot be read (No such file or directory)"),
        (("new", "--from-file", "/nowhere", "--purpose", "ads"), "purposes and values stand in the file"),
        (("show", "nnn"), "There is no request nnn"),
        (("approve", "nnn", "zzz"), "There is no request nnn, zzz"),
        (("refuse", "nnn", "--reason", "write to jane@shop.example"), "A reason is one line of at most 500 characters"),
        (("refuse", "nnn", "--reason", "call 030 123 456"), "A reason is one line"),
        (("refuse", "nnn", "--reason", " "), "A reason is one line"),
        (("refuse", "nnn", "--reason", "law"), "There is no request nnn"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(home, args, said):
    home.mkdir(exist_ok=True)
    done = call(home, *args)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert "jane" not in done.stderr


def test_a_file_for_a_person_is_taken_out_for_one_pair_of_eyes(home, lake, tmp_path):
    call(home, "new", "opt-out", "--email", "jane@shop.example")
    call(home, "new", "access", "--email", "jane@shop.example")
    assert "access  served" in call(home, "serve").stdout
    (request_id,) = [row[C.REQUEST_ID] for row in ledger.read_requests(lake) if row[C.KIND] == "access"]
    assert call(home, "serve").stdout == "There is nothing to serve.\n"
    done = call(home, "answer", request_id, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    file = tmp_path / "out" / f"{request_id}.zip"
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    with zipfile.ZipFile(file) as archive:
        assert b"opt-out" in archive.read("data/requests.json")
        assert archive.namelist()[0] == "index.html"
    locked = call(
        home, "answer", request_id, "--out", tmp_path, "--passphrase-file", "-", text="four long words here\n"
    )
    assert locked.exit_code == 0, locked.output
    sealed = (tmp_path / f"{request_id}.zip.age").read_bytes()
    assert pyrage.passphrase.decrypt(sealed, "four long words here") == file.read_bytes()


def test_there_is_no_file_before_a_request_is_served(home, lake, tmp_path):
    call(home, "new", "access", "--email", "jane@shop.example")
    done = call(home, "answer", only(lake), "--out", tmp_path)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "There is no file for request" in done.stderr
    assert call(home, "answer", only(lake), "--out", tmp_path, "--passphrase-file", "-", text="\n").exit_code == 2


def test_checking_exits_with_one_when_something_is_due(home, lake):
    assert call(home, "check").stdout == "No request is due soon.\n"
    call(home, "new", "access", "--email", "jane@shop.example")
    assert call(home, "check").exit_code == 0
    done = call(home, "check", "--within", 15)
    assert done.exit_code == 1
    assert f"1 request is due soon and not answered: {only(lake)} (access) due" in done.stderr
