"""The demo runs every flow and finds what it planted."""

import pytest

from jobs.demo import check_home, run_demo
from jobs.errors import UsageError


@pytest.mark.slow
def test_every_count_that_was_planted_is_found(lake):
    done = run_demo(lake, days=3, customers=50, events=2_000, seed=1, progress=lambda _: None)
    wrong = [finding for finding in done.findings if finding.planted != finding.found]
    assert wrong == []
    assert len(done.findings) > 10


def test_a_demo_does_not_touch_another_lake(tmp_path):
    (tmp_path / "shop" / "lake").mkdir(parents=True)
    with pytest.raises(UsageError, match="holds something that is no demo"):
        check_home(str(tmp_path / "shop"), str(tmp_path / "shop.sources"))
