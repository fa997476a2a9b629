"""``sophilux hold``: placed, listed and released without naming anybody."""

import json
from datetime import date
from pathlib import Path

import pytest

from jobs.people.holds import list_holds
from jobs.privacy.subject_ids import subject_digest
from tests.cli.test_cli import call

WHY = ("--reason", "tax audit 2026")


@pytest.fixture
def home(lake):
    return Path(lake.home)


@pytest.fixture(autouse=True)
def made(lake):
    Path(lake.home).mkdir(exist_ok=True)


@pytest.mark.parametrize("command", [(), ("place",), ("list",), ("release",)])
def test_help_has_an_example(command):
    done = call("hold", *command, "--help")
    assert done.exit_code == 0
    assert "Example: sophilux hold" in " ".join(done.stdout.split())


def test_an_address_becomes_a_hold_under_its_pseudonym(home, lake):
    done = call("hold", "place", "--email", " Jane@Example.org ", *WHY, home=home)
    assert done.exit_code == 0, done.output
    (hold,) = list_holds(lake)
    assert hold.subject_ids == {subject_digest(lake)("jane@example.org")}
    assert hold.hold_id in done.stdout
    assert "jane" not in (done.stdout + call("hold", "list", home=home).stdout).lower()


def test_orders_and_periods_are_listed_and_released(home, lake):
    call("hold", "place", "--order", "O-1", "--order", "O-2", "--table", "lake.orders", *WHY, home=home)
    call("hold", "place", "--from", "2024-01-01", "--until", "2024-12-31", *WHY, home=home)
    listed = {row["scope"]: row for row in json.loads(call("hold", "list", "--format", "json", home=home).stdout)}
    assert (listed["order"]["names"], listed["order"]["tables"]) == ("2 orders", "lake.orders")
    assert (listed["period"]["names"], listed["period"]["tables"]) == ("2024-01-01 to 2024-12-31", "all")
    done = call("hold", "release", listed["order"]["hold_id"], home=home)
    assert done.exit_code == 0, done.output
    assert [(hold.scope, hold.released_at is None) for hold in list_holds(lake)] == [("order", False), ("period", True)]
    assert list_holds(lake)[1].days.first == date(2024, 1, 1)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("place", *WHY), "exactly one of them"),
        (("place", "--from", "2024-01-01", *WHY), "needs both --from and --until"),
        (("place", "--subject", "jane@example.org", *WHY), "--subject takes a pseudonym"),
        (("place", "--email", "jane", *WHY), "1 of 1 are no e-mail addresses"),
        (("release", "0000"), "There is no hold '0000'"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(home, args, message):
    done = call("hold", *args, home=home)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert "jane" not in done.stderr
