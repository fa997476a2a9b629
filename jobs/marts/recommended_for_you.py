"""``marts.recommended_for_you``: products recommended to each person.

Each of a person's latest products votes for its neighbours in ``marts.also_bought`` and ``marts.also_viewed``, the
stronger the later and the closer to a purchase it was. What the person bought already is left out, unless people buy
it again and again. Lists are filled up with what is popular. Who opted out of personalisation gets the popular list
alone, with nothing of theirs in it, not even purchases left out; closed accounts get nothing; guests only get a list
that follows from what they looked at. ``rank`` orders a list: scores of popular products (share of the most popular
one's people) are on a scale of their own.

The lists are made for a slice of people after the other, so that memory does not grow with the shop.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.marts.interactions import (
    PLACE,
    SHARE,
    count_people,
    find_owned,
    pick_popular,
    select_interactions,
    weigh_recent_products,
)
from jobs.marts.purchases import keep_sales
from jobs.marts.reach import reach_further
from jobs.marts.recently_viewed import list_unwilling
from jobs.marts.slices import SLICE, cut_buckets, keep_until, number_slice
from jobs.marts.votes import (
    ALSO_BOUGHT,
    ALSO_VIEWED,
    PEOPLE_BITS,
    PERSON,
    POPULAR,
    TOP,
    count_votes,
    join_neighbours,
    name_lists,
    number_people,
    number_products,
    rank_votes,
    tell_person,
    tell_product,
)
from jobs.privacy.pseudonyms import subject_bucket
from jobs.privacy.rights.choices import apply_choices
from jobs.quality import gate

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

    from jobs.marts.slices import Once

TABLE: Final = "marts.recommended_for_you"
CLICKS, ORDER_LINES, SUBJECTS = "lake.clicks", "lake.order_lines", "lake.subjects"
WINDOW_DAYS: Final = 90
POPULAR_DAYS: Final = 30
SLICE_EVENTS: Final = 8_000_000
"""Clicks and order lines that people's latest products are taken from at once."""
SLICE_ROWS: Final = 400_000
"""Latest products, and accounts, whose lists are made at once: about 20 million votes."""


@dataclass(frozen=True)
class Sources:
    """What lists are made from, each computed once.

    Attributes:
        slices: in how many slices of people lists are made; ``recent``, ``owned`` and ``people`` are kept by ``SLICE``.
        recent: ``PERSON``, ``product_id``, ``_weight``: the latest products of the willing.
        owned: ``PERSON``, ``PRODUCT`` of what is not recommended again.
        people: of :func:`jobs.marts.votes.number_people`.
        neighbours: of :func:`jobs.marts.votes.join_neighbours`.
        products: of :func:`jobs.marts.votes.number_products`.
        opted_out: ``subject_id`` of those who get the popular list alone.
    """

    slices: list[range]
    recent: "DataFrame"
    owned: "DataFrame"
    people: "DataFrame"
    neighbours: "DataFrame"
    products: "DataFrame"
    opted_out: "DataFrame"


def build_recommended(sources: Sources, number: int, *, as_of: "date") -> "DataFrame":
    """The lists of the people of a slice, in the contract's columns.

    Args:
        sources: of everybody.
        number: of the slice.
        as_of: last day taken into account.
    """
    buckets, is_of_slice = sources.slices[number], F.col(SLICE) == number
    bucket = subject_bucket(F.col(C.SUBJECT_ID)).alias(C.SUBJECT_BUCKET)
    recent, owned, people = (rows.where(is_of_slice) for rows in (sources.recent, sources.owned, sources.people))
    opted_out = sources.opted_out.where(bucket.between(buckets.start, buckets.stop - 1))
    votes = count_votes(recent, owned, people, sources.neighbours, sources.products)
    personal = name_lists(rank_votes(votes), people, sources.products)
    rows = personal.unionByName(list_popular(opted_out, sources.products))
    return rows.select(C.SUBJECT_ID, bucket, C.PRODUCT_ID, C.RANK, C.SCORE, C.REASON, F.lit(as_of).alias(C.AS_OF))


def list_popular(people: "DataFrame", products: "DataFrame") -> "DataFrame":
    """The same list of what is popular for each of the people."""
    best = products.where(F.col(PLACE) <= TOP)
    same = best.select(
        C.PRODUCT_ID, F.col(PLACE).alias(C.RANK), F.col(SHARE).alias(C.SCORE), F.lit(POPULAR).alias(C.REASON)
    )
    return people.select(C.SUBJECT_ID).crossJoin(F.broadcast(same))


def look_back(
    interactions: "DataFrame", unwilling: "DataFrame", events: int, *, since: "date", once: "Once"
) -> tuple["DataFrame", int, "DataFrame"]:
    """What people did, looked at for a slice of them after the other.

    Args:
        interactions: of everybody.
        unwilling: ``subject_id`` of those who are left out.
        events: how many interactions there are, about.
        since: first day that counts for what is popular.
        once: computes rows and keeps them.

    Returns:
        The latest products of the willing, how many rows they are, and the people of each product since that day.
    """
    recents, counts = [], []
    for buckets in cut_buckets(events, per_slice=SLICE_EVENTS):
        some = interactions.where(F.col(C.SUBJECT_BUCKET).between(buckets.start, buckets.stop - 1))
        recents.append(once(weigh_recent_products(some).join(unwilling, C.SUBJECT_ID, how="left_anti")))
        counts.append(once(count_people(some.where(F.col(C.DAY) >= since))).frame)
    recent = reduce(lambda one, other: one.unionByName(other), [part.frame for part in recents])
    people_of = reduce(lambda one, other: one.unionByName(other), counts)
    return recent, sum(part.rows for part in recents), people_of


def run(lake: Lake, days: Days) -> StepReport:
    """Rebuild the table from the ``WINDOW_DAYS`` up to the last day."""
    window = Days(days.last - timedelta(WINDOW_DAYS - 1), days.last)
    with ExitStack() as scratches:
        sources = gather(lake, window, keep_until(scratches, lake))
        parts = (build_recommended(sources, number, as_of=days.last) for number in range(len(sources.slices)))
        staged = lake.replace_parts(TABLE, parts, gate=gate(lake, TABLE))
    warnings = [] if staged.rows else [f"{TABLE} is empty: there are no people, or nothing was viewed or bought."]
    return StepReport(rows_in=lake.count(CLICKS, days=window), rows_out=staged.rows, warnings=warnings)


def gather(lake: Lake, window: Days, once: "Once") -> Sources:
    """Everything that lists are made from, computed once."""
    chosen = lake.read(SUBJECTS).transform(apply_choices, lake.read("ledger.choices"))
    subjects = once(chosen.select(C.SUBJECT_ID, C.PERSONALISATION_OPT_OUT, C.CLOSED_ON)).frame
    all_sales = lake.read(ORDER_LINES).transform(keep_sales, lake.read("lake.orders"), lake.read("lake.products"))
    sales = all_sales.where(F.col(C.DAY) <= window.last)
    interactions = select_interactions(lake.read(CLICKS, days=window), sales.where(F.col(C.DAY) >= window.first))
    is_open, is_unwilling = F.col(C.CLOSED_ON).isNull(), F.col(C.PERSONALISATION_OPT_OUT)
    events = lake.count(CLICKS, days=window) + lake.count(ORDER_LINES, days=window)
    since = window.last - timedelta(POPULAR_DAYS - 1)
    unwilling = once(list_unwilling(subjects)).frame
    recent, rows, people_of = look_back(interactions, unwilling, events, since=since, once=once)
    slices = cut_buckets(rows + lake.count(SUBJECTS), per_slice=SLICE_ROWS)
    number = number_slice(F.shiftright(PERSON, PEOPLE_BITS), len(slices))

    def cut(rows: "DataFrame") -> "DataFrame":
        return once(rows.withColumn(SLICE, number), by=SLICE).frame

    people = cut(number_people(recent, subjects.where(is_open & ~is_unwilling)))
    popular = once(pick_popular(people_of)).frame
    bought, viewed = lake.read(f"marts.{ALSO_BOUGHT}"), lake.read(f"marts.{ALSO_VIEWED}")
    products = once(number_products(bought, viewed, popular)).frame
    neighbours = once(join_neighbours(bought, reach_further(viewed), products)).frame
    owned = find_owned(sales, interactions).transform(tell_product, products).transform(tell_person, people)
    latest, known = cut(recent.transform(tell_person, people)), cut(owned)
    opted_out = once(subjects.where(is_open & is_unwilling).select(C.SUBJECT_ID)).frame
    return Sources(slices, latest, known, people, neighbours, products, opted_out)
