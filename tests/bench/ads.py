"""Time ad effectiveness for 5 and 50 million impressions: part of ``make bench``.

Two partners' weeks close on the day that is run, each a release with a gate of its own.
"""

from datetime import timedelta
from pathlib import Path

from tests.bench.growth import make_parser, run_sizes, run_steps, tell
from tests.bench.shop import COUNTS_DAYS, FIRST_DAY, write_impressions, write_purchases

STEPS = ("marts.ad_effectiveness",)
CLOSING = FIRST_DAY + timedelta(3 * 7 - 1 + COUNTS_DAYS)
"""The third week's."""


def write_shop(home: Path, events: int) -> None:
    """A lake with a month of purchases and of impressions."""
    write_purchases(home, events)
    write_impressions(home, events)


def main() -> None:
    """All sizes, or the steps over one home."""
    arguments = make_parser(str(__doc__)).parse_args()
    if arguments.home:
        run_steps(arguments.home, STEPS, CLOSING)
        return
    tell("ad effectiveness", STEPS, run_sizes("tests.bench.ads", arguments.events, write_shop))


if __name__ == "__main__":
    main()
