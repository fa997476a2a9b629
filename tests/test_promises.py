"""The table of promises names code and tests that are there."""

import re

from tests.conftest import PROJECT

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (PROJECT / "docs/promises.md").read_text().splitlines()
    if re.match(r"\| \d+ \|", line)
]


def list_tests():
    """Path and name of each test that the table names; a name without a path is in the file before it."""
    path = ""
    for *_, tests in ROWS:
        for told in re.findall(r"`([^`]+)`", tests):
            before, _, name = told.partition("::")
            path = before or path
            yield path, name


def test_every_promise_has_code_and_tests():
    assert [int(number) for number, *_ in ROWS] == list(range(1, 17))
    assert all(re.search(r"`tests/", tests) and kept for _, _, kept, tests in ROWS)


def test_every_test_that_is_named_is_there():
    missing = [
        f"{path}::{name}"
        for path, name in list_tests()
        if not (PROJECT / path).exists() or (name and f"def {name}(" not in (PROJECT / path).read_text())
    ]
    assert missing == []


def test_all_code_that_is_named_is_there():
    named = [room for _, _, kept, _ in ROWS for room in re.findall(r"`([a-z_/]+)`", kept)]
    jobs = PROJECT / "jobs"
    assert len(named) > len(ROWS)
    assert [room for room in named if not ((jobs / room).is_dir() or (jobs / f"{room}.py").exists())] == []
