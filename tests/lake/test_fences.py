"""What a fence takes for its own step's doing."""

import pytest

from jobs.lake.fences import Fence

TABLE = "ledger.tombstones"


@pytest.mark.parametrize(
    ("before", "after", "is_ours"),
    [(4, 5, True), (4, 6, False), (None, 1, True), (None, 2, False)],
    ids=["ours", "somebody's and ours", "the table's first", "the first two"],
)
def test_a_fence_follows_the_steps_own_commit_and_no_other(before, after, is_ours):
    versions = {TABLE: before}
    fence = Fence(versions.get, [TABLE])
    versions[TABLE] = after
    fence.follow(TABLE, before)
    assert fence.has_moved() is not is_ours
