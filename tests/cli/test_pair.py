"""The commands of a PAIR exchange, as an operator runs them with a publisher's files."""

from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli.commands import app
from jobs.lake import Lake
from jobs.settings import load_settings
from tests.exports.conftest import DAY
from tests.exports.pair.publisher import Party, make_secret, read_lines, write_lines
from tests.exports.people import SCOPE_START, fill_people, name_address

PEOPLE = range(1100)
THEIRS = range(700, 1800)
PARTNERS = """
partners:
- {name: news-fr, kind: pair, countries: [all], format: csv}
- {name: worldads, countries: [all]}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory, engine, contracts):
    """A lake of 1,100 people, and a publisher's secret on file."""
    settings = load_settings(str(tmp_path_factory.mktemp("pair") / "shop"))
    lake = Lake(settings, engine, contracts)
    lake.settings.partners.parent.mkdir(parents=True, exist_ok=True)
    lake.settings.partners.write_text(PARTNERS)
    fill_people(lake, PEOPLE)
    return lake.home


@pytest.fixture(scope="module")
def publisher():
    return Party(make_secret())


def run(*args, code=0):
    result = CliRunner().invoke(app, list(map(str, args)))
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.slow
def test_an_exchange_from_the_shared_secret_to_the_match(home, publisher, tmp_path):
    files = {name: tmp_path / f"{name}.csv" for name in ("theirs", "both", "ours", "activate")}
    at = ("news-fr", "--home", home)

    (tmp_path / "secret.txt").write_text(publisher.shared.hex())
    shown = run("pair", "secret", *at, "--from", SCOPE_START, "--file", tmp_path / "secret.txt")
    assert "for 2024-03-22 to 2024-04-20" in shown
    assert publisher.shared.hex() not in shown

    shown = run("pair", "encrypt", *at, "--day", DAY)
    assert "1,100 identifiers in" in shown
    assert "To be matched until 2024-04-20" in shown

    sent = read_lines(Path(home) / "exports" / "news-fr" / str(DAY) / "pair_identifiers-0000.csv")
    write_lines(files["ours"], publisher.reencrypt(sent))
    write_lines(files["theirs"], [*publisher.encrypt(map(name_address, THEIRS)), "jane@example.com"])

    shown = run("pair", "reencrypt", *at, "--day", DAY, "--theirs", files["theirs"], "--out", files["both"])
    assert "1,100 identifiers in" in shown
    assert "Left out: 1 not_base64." in shown

    match = ("--ours", files["ours"], "--theirs", files["both"], "--out", files["activate"])
    shown = run("pair", "match", *at, "--day", DAY, *match)
    assert "Matched: 36% of our list, 36% of theirs." in shown
    assert "400" not in shown
    expected = {publisher.find_identifier(name_address(number)) for number in range(700, 1100)}
    assert set(read_lines(files["activate"])) == expected


def test_a_partner_of_another_kind_is_refused(home, tmp_path):
    shown = run("pair", "encrypt", "worldads", "--home", home, "--day", DAY, code=2)
    assert "worldads is a partner of kind opaque; these commands are for kind pair" in shown
    assert "there are news-fr, worldads" in run("pair", "encrypt", "nobody", "--home", home, "--day", DAY, code=2)


def test_a_day_to_come_and_a_day_without_a_secret_are_refused(home):
    assert "2999" in run("pair", "encrypt", "news-fr", "--home", home, "--day", "2999-01-01", code=2)
    shown = run("pair", "encrypt", "news-fr", "--home", home, "--day", DAY + timedelta(days=90), code=1)
    assert "sophilux pair secret news-fr --from DAY --file FILE" in shown


@pytest.mark.parametrize("content", [b"too short", b"\xff\xfe", b"ab" * 33])
def test_a_secret_that_is_none_is_refused_and_not_shown(home, tmp_path, content):
    file = tmp_path / "secret.txt"
    file.write_bytes(content)
    shown = run("pair", "secret", "news-fr", "--home", home, "--from", SCOPE_START, "--file", file, code=2)
    assert "short" not in shown
    assert "abab" not in shown
    missing = tmp_path / "none.txt"
    assert "cannot be read" in run(
        "pair", "secret", "news-fr", "--home", home, "--from", SCOPE_START, "--file", missing, code=2
    )


def test_files_that_are_none_are_refused(home, tmp_path):
    at = ("news-fr", "--home", home, "--day", DAY, "--out", tmp_path / "out.csv")
    assert "ends in .parquet" in run("pair", "reencrypt", *at, "--theirs", tmp_path / "list.xlsx", code=2)
    assert not list(tmp_path.iterdir())
