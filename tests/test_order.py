"""The files that come first in the order of the tests are there."""

from tests.conftest import LONGEST, PROJECT


def test_every_file_that_is_to_come_first_is_there():
    assert [file for file in LONGEST if not (PROJECT / file).is_file()] == []
