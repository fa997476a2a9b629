"""Run a step in a process of its own that meets another one: ``python -m tests.marts.run_beside HOME STEP DAY OTHER ME``.

Both wait for each other before the step begins, and again, for a few seconds, where noise has been paid and is about to
be drawn. ``SOPHILUX_TESTS_UNLOCKED`` takes the lock away, as on an object store.
"""

import importlib
import os
import sys
import time
from contextlib import nullcontext
from datetime import date
from pathlib import Path

from jobs.lake import Days, Lake
from jobs.runner import run_step
from jobs.settings import load_settings
from jobs.steps import STEPS

DRAWS = {"marts.bestsellers": "draw_noise", "marts.ad_effectiveness": "publish_noisy"}
START_SECONDS = 120
IS_UNLOCKED = "SOPHILUX_TESTS_UNLOCKED" in os.environ
DRAW_SECONDS = 120 if IS_UNLOCKED else 4
"""Without the lock the other one comes, however busy the machine is; with it nobody does."""


def meet(folder: Path, me: str, other: str, where: str, *, seconds: int) -> bool:
    """Say that this process is there and wait for the other; false where it did not come."""
    (folder / f"{me}.{where}").touch()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (folder / f"{other}.{where}").exists():
            return True
        time.sleep(0.02)
    return False


def main() -> None:
    home, step, day, other, me = sys.argv[1:]
    folder = Path(home).parent
    if IS_UNLOCKED:
        Lake.alone = lambda *_: nullcontext()
    module = importlib.import_module(f"jobs.{step}")
    draw = getattr(module, DRAWS[step])

    def draw_slowly(*args, **kwargs):
        meet(folder, me, other, "drawing", seconds=DRAW_SECONDS)
        return draw(*args, **kwargs)

    setattr(module, DRAWS[step], draw_slowly)
    lake = Lake.open(load_settings(home))
    with lake.engine:
        lake.session.range(1).count()
        assert meet(folder, me, other, "ready", seconds=START_SECONDS)
        print(run_step(lake, STEPS[step], Days.single(date.fromisoformat(day))).rows_out)


if __name__ == "__main__":
    main()
