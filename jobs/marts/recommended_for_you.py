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
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.marts.interactions import (
    PLACE,
    SHARE,
    find_owned,
    pick_popular,
    select_interactions,
    weigh_recent_products,
)
from jobs.marts.purchases import keep_sales
from jobs.marts.reach import reach_further
from jobs.marts.recently_viewed import drop_unwilling
from jobs.marts.slices import cut_buckets
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
)
from jobs.privacy.pseudonyms import subject_bucket
from jobs.privacy.rights.choices import apply_choices
from jobs.quality import gate

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

    from jobs.lake.scratch import Scratch

TABLE: Final = "marts.recommended_for_you"
CLICKS, ORDER_LINES, SUBJECTS = "lake.clicks", "lake.order_lines", "lake.subjects"
WINDOW_DAYS: Final = 90
POPULAR_DAYS: Final = 30
SLICE_ROWS: Final = 400_000
"""Latest products, and accounts, whose lists are made at once: about 20 million votes."""


@dataclass(frozen=True)
class Sources:
    """What lists are made from, each computed once.

    Attributes:
        recent: ``subject_id``, ``product_id``, ``_weight``: the latest products of the willing.
        owned: ``subject_id``, ``product_id`` of what is not recommended again.
        people: of :func:`jobs.marts.votes.number_people`.
        neighbours: of :func:`jobs.marts.votes.join_neighbours`.
        products: of :func:`jobs.marts.votes.number_products`.
        opted_out: ``subject_id`` of those who get the popular list alone.
    """

    recent: "DataFrame"
    owned: "DataFrame"
    people: "DataFrame"
    neighbours: "DataFrame"
    products: "DataFrame"
    opted_out: "DataFrame"


def build_recommended(sources: Sources, buckets: range, *, as_of: "date") -> "DataFrame":
    """The lists of the people of some buckets, in the contract's columns.

    Args:
        sources: of everybody.
        buckets: whose lists to make.
        as_of: last day taken into account.
    """
    bucket = subject_bucket(F.col(C.SUBJECT_ID)).alias(C.SUBJECT_BUCKET)
    first, last = buckets.start << PEOPLE_BITS, (buckets.stop << PEOPLE_BITS) - 1
    people = sources.people.where(F.col(PERSON).between(first, last))
    opted_out = sources.opted_out.where(bucket.between(buckets.start, buckets.stop - 1))
    votes = count_votes(sources.recent, sources.owned, people, sources.neighbours, sources.products)
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


def run(lake: Lake, days: Days) -> StepReport:
    """Rebuild the table from the ``WINDOW_DAYS`` up to the last day."""
    window = Days(days.last - timedelta(WINDOW_DAYS - 1), days.last)
    with ExitStack() as scratches:
        sources, rows = gather(lake, window, scratches)
        parts = (
            build_recommended(sources, buckets, as_of=days.last) for buckets in cut_buckets(rows, per_slice=SLICE_ROWS)
        )
        staged = lake.replace_parts(TABLE, parts, gate=gate(lake, TABLE))
    warnings = [] if staged.rows else [f"{TABLE} is empty: there are no people, or nothing was viewed or bought."]
    return StepReport(rows_in=lake.count(CLICKS, days=window), rows_out=staged.rows, warnings=warnings)


def gather(lake: Lake, window: Days, scratches: ExitStack) -> tuple[Sources, int]:
    """Everything that lists are made from, computed once, and how many rows of people there are."""

    def once(rows: "DataFrame") -> "Scratch":
        return scratches.enter_context(lake.scratch(rows))

    subjects = lake.read(SUBJECTS).transform(apply_choices, lake.read("ledger.choices"))
    all_sales = lake.read(ORDER_LINES).transform(keep_sales, lake.read("lake.orders"), lake.read("lake.products"))
    sales = all_sales.where(F.col(C.DAY) <= window.last)
    interactions = select_interactions(lake.read(CLICKS, days=window), sales.where(F.col(C.DAY) >= window.first))
    is_open, is_unwilling = F.col(C.CLOSED_ON).isNull(), F.col(C.PERSONALISATION_OPT_OUT)
    recent = once(weigh_recent_products(interactions).transform(drop_unwilling, subjects))
    people = once(number_people(recent.frame, subjects.where(is_open & ~is_unwilling)))
    popular = once(pick_popular(interactions.where(F.col(C.DAY) > window.last - timedelta(POPULAR_DAYS)))).frame
    bought, viewed = lake.read(f"marts.{ALSO_BOUGHT}"), lake.read(f"marts.{ALSO_VIEWED}")
    products = once(number_products(bought, viewed, popular)).frame
    neighbours = once(join_neighbours(bought, reach_further(viewed), products)).frame
    owned = once(find_owned(sales, interactions)).frame
    opted_out = once(subjects.where(is_open & is_unwilling).select(C.SUBJECT_ID)).frame
    return Sources(recent.frame, owned, people.frame, neighbours, products, opted_out), recent.rows + people.rows
