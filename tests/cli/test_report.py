"""The command that writes the report."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from jobs.cli.commands import app


def call(*args):
    return CliRunner().invoke(app, ["report", *map(str, args)])


@pytest.fixture
def home(lake):
    Path(lake.home).mkdir(parents=True)
    return lake.home


def test_it_writes_into_the_home_by_default_and_says_where(home):
    done = call("--home", home)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"0 rows are in the report. Open {home}/report/index.html\n"
    assert (Path(home) / "report" / "index.html").exists()


def test_it_writes_for_the_day_and_into_the_folder_asked_for_and_again(home, tmp_path):
    for _ in range(2):
        assert call("--home", home, "--out", tmp_path / "pages", "--day", "2026-03-08").exit_code == 0
    assert "for Sun 8 March 2026" in (tmp_path / "pages" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("mine", "holds something that is no report"),
        ("mine/thesis.txt", "is a file"),
        ("shop", "is or holds the lake itself"),
        ("shop/marts", "where the lake keeps its own files"),
        (".", "is or holds the lake itself"),
    ],
)
def test_it_refuses_to_write_over_anything_else(home, tmp_path, out, said):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    done = call("--home", home, "--out", tmp_path / out)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x"


def test_a_folder_that_cannot_be_made_is_told_in_one_line(home):
    done = call("--home", home, "--out", "/proc/report")
    assert done.exit_code == 2
    assert "The report cannot be written to /proc/report (" in done.stderr
    assert "give another folder with --out" in done.stderr


def test_a_port_that_is_taken_is_told_in_one_line(home):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = call("--home", home, "--serve", "--port", port)
    assert done.exit_code == 2
    assert f"cannot listen on port {port}" in done.stderr
    assert done.stderr.count("\n") == 1
