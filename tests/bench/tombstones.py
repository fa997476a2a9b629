"""What tombstones cost a step that conforms clicks: none, ten thousand of strangers, and such that are met.

``python -m tests.bench.tombstones [CLICKS]``; seconds of the processor, because wall time depends on what else runs.
"""

import resource
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta

from jobs.conform import clicks
from jobs.lake import Days, Lake
from jobs.privacy.tombstones import SUBJECT, set_tombstones
from jobs.samples.generated import write_shop
from jobs.settings import load_settings
from jobs.sources import clickstream

FIRST_DAY = date.today() - timedelta(days=7)  # noqa: DTZ011
DAYS = Days(FIRST_DAY, FIRST_DAY + timedelta(days=4))
STONES = 10_000


def measure(lake, name):
    clicks.run(lake, DAYS)
    used, started = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    report = clicks.run(lake, DAYS)
    now = resource.getrusage(resource.RUSAGE_SELF)
    seconds = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    print(f"{name:28} {seconds:6.1f} s of processor {time.monotonic() - started:6.1f} s, {report.forgotten} forgotten")
    return seconds


def main(events):
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(f"{folder}/shop")
        write_shop(settings, first_day=FIRST_DAY, days=len(DAYS), customers=events // 20, events=events, seed=3)
        lake = Lake.open(settings)
        with lake.engine:
            clickstream.run(lake, DAYS)
            without = measure(lake, "no tombstones")
            names = [f"{n:032x}" for n in range(STONES)]
            set_tombstones(lake, {SUBJECT: names}, at=datetime.now(UTC))
            strangers = measure(lake, f"{STONES:,} of strangers")
            seen = lake.read("lake.clicks").select("subject_id").distinct().limit(1_000).collect()
            set_tombstones(lake, {SUBJECT: [row.subject_id for row in seen]}, at=datetime.now(UTC))
            clickstream.run(lake, DAYS)
            report = clicks.run(lake, DAYS)
            print(f"{len(seen):,} people met: {report.forgotten:,} lines forgotten")
            print(f"ratio {strangers / without:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
