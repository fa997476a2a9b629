"""Which apps are not to be advertised to whom: those a person has, and some that others of its segment have.

Rare apps are a fingerprint, by which two files can be put together without any identifier in common. Leaving them out
would have an installed app advertised again. So where fewer people of a country and segment than the partner's minimum
have an app, others of the same country and segment are listed with it until they are as many: everybody who has the
app is on the list, and nobody is known to have it for being on it.

The others are drawn by place on a ring that is keyed by partner and epoch. The draw is the same from day to day, as far
as the same people are in the audience; who was drawn anew each day would be told apart from who is always there.
"""

from datetime import date
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.exports.audiences import count_humans
from jobs.lake import columns as C
from jobs.privacy.humans import HUMAN, human
from jobs.privacy.keyring import Key
from jobs.privacy.shuffling import add_order

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

INSTALL: Final = "install"
CELL: Final = (C.COUNTRY, C.SEGMENT)


def find_installs(clicks: "DataFrame", subjects: "DataFrame", *, day: date) -> "DataFrame":
    """Apps each person installed up to a day, from whichever of the person's addresses.

    Returns:
        ``person_id`` and ``app_id``, one row per person and app.
    """
    is_install = (F.col(C.ACTION) == INSTALL) & F.col(C.APP_ID).isNotNull() & (F.col(C.DAY) <= F.lit(day))
    people = subjects.select(C.SUBJECT_ID, C.PERSON_ID)
    installs = clicks.where(is_install).select(C.SUBJECT_ID, C.APP_ID)
    return installs.join(people, C.SUBJECT_ID, how="inner").select(C.PERSON_ID, C.APP_ID).distinct()


def build_app_installs(
    eligible: "DataFrame", installs: "DataFrame", *, minimum: int, order: Key, session: "SparkSession"
) -> "DataFrame":
    """Rows of ``exports.app_installs``: one per identifier and app that is not to be advertised to it.

    Args:
        eligible: subjects that may be exported, with ``ad_id``, ``country`` and ``segment``.
        installs: rows of :func:`find_installs`.
        minimum: humans of one country and segment who are listed with each app that one of them has, or all of them.
        order: key of the partner's and epoch's own order.
        session: gives the relation the key enters through.
    """
    people = eligible.select(C.PERSON_ID, C.CIRCLE_ID, human(), C.AD_ID, *CELL)
    owners = people.join(installs, C.PERSON_ID, how="inner")
    rare = count_humans(owners, *CELL, C.APP_ID, name="_owners").where(F.col("_owners") < minimum)
    humans = people.select(*CELL, HUMAN).distinct()
    ring = _place_on_ring(humans, rare, order, session)
    own = owners.select(*CELL, C.APP_ID, HUMAN).distinct()
    others = _draw(ring, own, minimum).join(people, [*CELL, HUMAN], how="inner")
    return owners.select(C.AD_ID, C.APP_ID).unionByName(others.select(C.AD_ID, C.APP_ID)).distinct()


def _place_on_ring(humans: "DataFrame", rare: "DataFrame", order: Key, session: "SparkSession") -> "DataFrame":
    """Humans and rare apps of each cell, with ``_place``: the humans of the cell up to there, themselves included."""
    nobody, nothing = F.lit(None).cast("string"), F.lit(None).cast("bigint")
    marks = humans.select(*CELL, HUMAN, nobody.alias(C.APP_ID), nothing.alias("_owners")).unionByName(
        rare.select(*CELL, nobody.alias(HUMAN), C.APP_ID, F.col("_owners").cast("bigint").alias("_owners"))
    )
    name = F.concat_ws(" ", F.coalesce(HUMAN, F.lit("")), F.coalesce(C.APP_ID, F.lit("")))
    keyed = add_order(marks, by=name, name="_point", key=order, session=session)
    up_to_here = Window.partitionBy(*CELL).orderBy("_point").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    of_cell = Window.partitionBy(*CELL)
    return keyed.withColumns({"_place": F.count(HUMAN).over(up_to_here), "_size": F.count(HUMAN).over(of_cell)}).drop(
        "_point"
    )


def _draw(ring: "DataFrame", own: "DataFrame", minimum: int) -> "DataFrame":
    """Humans who are listed with a rare app of their cell beside those who have it: the next ones on the ring."""
    # Fewer than the minimum have the app, so that of twice as many neighbours enough do not.
    steps = F.sequence(F.lit(0), F.least(F.col("_size"), F.lit(2 * minimum)) - 1)
    asked = ring.where(F.col(C.APP_ID).isNotNull()).withColumn("_step", F.explode(steps))
    place = F.pmod(F.col("_place") + F.col("_step"), F.col("_size")) + 1
    near = asked.select(*CELL, C.APP_ID, "_owners", "_step", place.alias("_place"))
    placed = ring.where(F.col(HUMAN).isNotNull()).select(*CELL, "_place", HUMAN)
    without = near.join(placed, [*CELL, "_place"], how="inner").join(own, [*CELL, C.APP_ID, HUMAN], how="left_anti")
    nearest = F.row_number().over(Window.partitionBy(*CELL, C.APP_ID).orderBy("_step"))
    drawn = without.withColumn("_nearest", nearest).where(F.col("_nearest") <= F.lit(minimum) - F.col("_owners"))
    return drawn.select(*CELL, C.APP_ID, HUMAN)
