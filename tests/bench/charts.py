"""Time best-sellers of a month for 5 and 50 million events: ``make bench``, or alone with ``--events``.

Only the charts are timed: the exact ones of the last day (day, week, month, trailing 7 and 30 days, and those they are
held against) and their publication, with the seconds of their gates.
"""

from tests.bench.growth import make_parser, run_sizes, run_steps, tell
from tests.bench.shop import write_purchases

STEPS = ("marts.bestsellers_exact", "marts.bestsellers")


def main() -> None:
    """All sizes, or the steps over one home."""
    arguments = make_parser(str(__doc__)).parse_args()
    if arguments.home:
        run_steps(arguments.home, STEPS)
        return
    tell("best-sellers", STEPS, run_sizes("tests.bench.charts", arguments.events, write_purchases))


if __name__ == "__main__":
    main()
