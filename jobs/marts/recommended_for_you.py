"""``marts.recommended_for_you``: products recommended to each person.

Each of a person's latest products votes for its neighbours in ``marts.also_bought`` and ``marts.also_viewed``, the
stronger the later and the closer to a purchase it was. What the person bought already is left out. Lists are filled up
with what is popular. Who opted out of personalisation gets the popular list alone, with nothing of theirs in it, not
even purchases left out; closed accounts get nothing; guests only get a list that follows from what they looked at.
``rank`` orders a list: scores of popular products (share of the most popular one's people) are on a scale of their own.

A person has up to 200 votes and a list 20 rows, so nearly all the work lies between: there people and products are
numbers and the rows four of them, and only what made it into a list gets its names back.
"""

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import Days, Lake
from jobs.lake import columns as C
from jobs.lake.reports import StepReport
from jobs.marts.also_viewed import PRODUCT_ACTIONS
from jobs.marts.purchases import keep_sales
from jobs.marts.recently_viewed import drop_unwilling
from jobs.privacy.choices import apply_choices
from jobs.privacy.pseudonyms import subject_bucket
from jobs.quality import gate

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

TABLE: Final = "marts.recommended_for_you"
CLICKS, ORDER_LINES, SUBJECTS = "lake.clicks", "lake.order_lines", "lake.subjects"
ALSO_BOUGHT, ALSO_VIEWED, POPULAR = "also_bought", "also_viewed", "popular"
WINDOW_DAYS: Final = 90
POPULAR_DAYS: Final = 30
STEPS: Final = 5
STEP_POWER: Final = 1.5
NEIGHBOURS: Final = 20
TOP: Final = 20
# Twice the list, so that it is still full when up to TOP of the popular products are known to the person.
POOL: Final = 2 * TOP
ACTION_WEIGHTS: Final = {"view": 1.0, "cart": 2.0, "favourite": 2.0, "buy": 3.0}
_WEIGHT, _AT, _STEP, _PEOPLE, _VIA_BOUGHT, _VIA_VIEWED = "_weight", "_at", "_step", "_people", "_bought", "_viewed"
_LISTED, _KNOWN, _PERSON, _PRODUCT = "_listed", "_known", "_person", "_product"
PERSON_PRODUCT: Final = (C.SUBJECT_ID, C.PRODUCT_ID)
NUMBERS: Final = (_PERSON, _PRODUCT)
PERSON_BITS: Final = 40


def select_interactions(clicks: "DataFrame", sales: "DataFrame") -> "DataFrame":
    """One row per unflagged click on a product and per purchase: day, person, product, weight and time."""
    counted = clicks.where(F.col(C.FLAG).isNull() & F.col(C.PRODUCT_ID).isNotNull())
    weight = F.lit(ACTION_WEIGHTS["view"])
    for action, value in ACTION_WEIGHTS.items():
        weight = F.when(F.col(C.ACTION) == action, F.lit(value)).otherwise(weight)
    product_clicks = counted.where(F.col(C.ACTION).isin(*PRODUCT_ACTIONS))
    clicked = product_clicks.select(
        C.DAY, C.SUBJECT_ID, C.PRODUCT_ID, weight.alias(_WEIGHT), F.col(C.EVENT_TIME).alias(_AT)
    )
    bought_weight = F.lit(ACTION_WEIGHTS["buy"]).alias(_WEIGHT)
    known = sales.where(F.col(C.SUBJECT_ID).isNotNull())
    bought = known.select(C.DAY, C.SUBJECT_ID, C.PRODUCT_ID, bought_weight, F.col(C.ORDERED_AT).alias(_AT))
    return clicked.unionByName(bought)


def weigh_recent_products(interactions: "DataFrame") -> "DataFrame":
    """The last ``STEPS`` distinct products of each person, weighed by their strongest action and their step."""
    by_product = interactions.groupBy(C.SUBJECT_ID, C.PRODUCT_ID).agg(
        F.max(_WEIGHT).alias(_WEIGHT), F.max(_AT).alias(_AT)
    )
    latest_first = Window.partitionBy(C.SUBJECT_ID).orderBy(F.desc(_AT), C.PRODUCT_ID)
    steps = by_product.withColumn(_STEP, F.row_number().over(latest_first)).where(F.col(_STEP) <= STEPS)
    fading = F.col(_STEP) * F.sqrt(_STEP)  # to the power of STEP_POWER, and the same on every engine
    return steps.select(C.SUBJECT_ID, C.PRODUCT_ID, (F.col(_WEIGHT) / fading).alias(_WEIGHT))


def number_people(recent: "DataFrame") -> "DataFrame":
    """The same rows with ``_person``: the bucket above, the place within it below, so that no two people share one."""
    bucket = subject_bucket(F.col(C.SUBJECT_ID))
    in_bucket = Window.partitionBy(bucket).orderBy(C.SUBJECT_ID)
    person = F.shiftleft(bucket.cast("bigint"), PERSON_BITS) + F.dense_rank().over(in_bucket)
    return recent.withColumn(_PERSON, person)


def number_products(also_bought: "DataFrame", also_viewed: "DataFrame") -> "DataFrame":
    """``product_id, _product`` of every neighbour; numbers follow the order of identifiers."""
    neighbours = also_bought.select(C.OTHER_PRODUCT_ID).unionByName(also_viewed.select(C.OTHER_PRODUCT_ID)).distinct()
    in_order = Window.partitionBy(F.lit(1)).orderBy(C.OTHER_PRODUCT_ID)
    number = F.row_number().over(in_order).alias(_PRODUCT)
    return neighbours.select(F.col(C.OTHER_PRODUCT_ID).alias(C.PRODUCT_ID), number)


def join_neighbours(also_bought: "DataFrame", also_viewed: "DataFrame", products: "DataFrame") -> "DataFrame":
    """One row per product and neighbour, by number: its score in each table, 0 where it is not among the nearest."""
    nothing = F.lit(0.0)
    is_near = F.col(C.RANK) <= NEIGHBOURS
    pair = (C.PRODUCT_ID, C.OTHER_PRODUCT_ID)
    bought = also_bought.where(is_near).select(*pair, F.col(C.SCORE).alias(_VIA_BOUGHT), nothing.alias(_VIA_VIEWED))
    viewed = also_viewed.where(is_near).select(*pair, nothing.alias(_VIA_BOUGHT), F.col(C.SCORE).alias(_VIA_VIEWED))
    sums = [F.sum(via).alias(via) for via in (_VIA_BOUGHT, _VIA_VIEWED)]
    by_pair = bought.unionByName(viewed).groupBy(*pair).agg(*sums)
    numbers = products.withColumnRenamed(C.PRODUCT_ID, C.OTHER_PRODUCT_ID)
    numbered = numbers.join(by_pair, C.OTHER_PRODUCT_ID, how="inner")
    return numbered.select(C.PRODUCT_ID, _PRODUCT, _VIA_BOUGHT, _VIA_VIEWED)


def score_candidates(recent: "DataFrame", neighbours: "DataFrame") -> "DataFrame":
    """One row per person and neighbour of their recent products, by number: what each table gives it."""
    votes = neighbours.join(recent.select(_PERSON, C.PRODUCT_ID, _WEIGHT), C.PRODUCT_ID, how="inner")
    # Rounded, because sums of fractions differ in the last bits with the order of rows.
    shares = [F.round(F.sum(F.col(_WEIGHT) * F.col(via)), 9).alias(via) for via in (_VIA_BOUGHT, _VIA_VIEWED)]
    return votes.groupBy(*NUMBERS).agg(*shares)


def rank_candidates(candidates: "DataFrame", owned: "DataFrame") -> "DataFrame":
    """Each person's ``TOP`` candidates without what they own, by number: shares, ``score`` and ``rank``."""
    # Outer and filtered instead of anti: the embedded engine keeps the first side in memory, and that is the small one.
    matched = owned.withColumn(_KNOWN, F.lit(True)).join(candidates, list(NUMBERS), how="right")
    new = matched.where(F.col(_KNOWN).isNull()).drop(_KNOWN)
    scored = new.withColumn(C.SCORE, F.col(_VIA_BOUGHT) + F.col(_VIA_VIEWED))
    best_first = Window.partitionBy(_PERSON).orderBy(F.desc(C.SCORE), _PRODUCT)
    return scored.withColumn(C.RANK, F.row_number().over(best_first)).where(F.col(C.RANK) <= TOP)


def name_lists(ranked: "DataFrame", people: "DataFrame", products: "DataFrame") -> "DataFrame":
    """Person, product, rank, score and the ``reason`` that gave most of it, for numbers."""
    named = products.join(people.join(ranked, _PERSON, how="inner"), _PRODUCT, how="inner")
    reason = F.when(F.col(_VIA_BOUGHT) >= F.col(_VIA_VIEWED), F.lit(ALSO_BOUGHT)).otherwise(F.lit(ALSO_VIEWED))
    return named.select(*PERSON_PRODUCT, C.RANK, C.SCORE, reason.alias(C.REASON))


def pick_popular(interactions: "DataFrame") -> "DataFrame":
    """The ``POOL`` products that most people bought or looked at, ranked, with the share of the first one's people."""
    people = interactions.select(C.PRODUCT_ID, C.SUBJECT_ID).distinct().groupBy(C.PRODUCT_ID)
    everything = Window.partitionBy(F.lit(1))
    most_first = everything.orderBy(F.desc(_PEOPLE), C.PRODUCT_ID)
    counted = people.agg(F.count(F.lit(1)).alias(_PEOPLE)).withColumn(C.RANK, F.row_number().over(most_first))
    share = F.col(_PEOPLE) / F.max(_PEOPLE).over(everything)
    pool = counted.withColumn(C.SCORE, share).where(F.col(C.RANK) <= POOL)
    return pool.select(C.PRODUCT_ID, C.RANK, C.SCORE, F.lit(POPULAR).alias(C.REASON))


def fill_up(own: "DataFrame", owned: "DataFrame", subjects: "DataFrame", popular: "DataFrame") -> "DataFrame":
    """Popular products, new to them, for the willing with an account whose own list is not full.

    Args:
        own: the lists of the willing, without what they own.
        owned: person and product of every purchase.
        subjects: rows of ``lake.subjects``.
        popular: see :func:`pick_popular`.
    """
    willing = subjects.where(~F.col(C.PERSONALISATION_OPT_OUT) & F.col(C.CLOSED_ON).isNull()).select(C.SUBJECT_ID)
    counted = own.groupBy(C.SUBJECT_ID).agg(F.count(F.lit(1)).alias(_LISTED))
    listed = willing.join(counted, C.SUBJECT_ID, how="left").withColumn(_LISTED, F.coalesce(_LISTED, F.lit(0)))
    offered = listed.where(F.col(_LISTED) < TOP).crossJoin(F.broadcast(popular))
    met = own.select(*PERSON_PRODUCT).unionByName(owned.select(*PERSON_PRODUCT))
    known = popular.select(C.PRODUCT_ID).join(met, C.PRODUCT_ID, how="inner").select(*PERSON_PRODUCT).distinct()
    matched = known.withColumn(_KNOWN, F.lit(True)).join(offered, list(PERSON_PRODUCT), how="right")
    new = matched.where(F.col(_KNOWN).isNull())
    place = F.row_number().over(Window.partitionBy(C.SUBJECT_ID).orderBy(C.RANK))
    ranked = new.withColumn(C.RANK, (F.col(_LISTED) + place).cast("int")).where(F.col(C.RANK) <= TOP)
    return ranked.select(*PERSON_PRODUCT, C.RANK, C.SCORE, C.REASON)


def build_recommended(
    personal: "DataFrame", opted_out: "DataFrame", popular: "DataFrame", *, as_of: "date"
) -> "DataFrame":
    """Lists of everybody, in the contract's columns.

    Args:
        personal: lists of the willing, filled up.
        opted_out: people who get the popular list alone.
        popular: see :func:`pick_popular`.
        as_of: last day taken into account.
    """
    plain = opted_out.select(C.SUBJECT_ID).crossJoin(F.broadcast(popular.where(F.col(C.RANK) <= TOP)))
    return personal.unionByName(plain).select(
        C.SUBJECT_ID,
        subject_bucket(F.col(C.SUBJECT_ID)).alias(C.SUBJECT_BUCKET),
        C.PRODUCT_ID,
        C.RANK,
        C.SCORE,
        C.REASON,
        F.lit(as_of).alias(C.AS_OF),
    )


def list_own(
    recent: "DataFrame", owned: "DataFrame", also_bought: "DataFrame", also_viewed: "DataFrame"
) -> "DataFrame":
    """Person, product, rank, score and reason of what follows from each person's recent products.

    Args:
        recent: of :func:`number_people`; read twice, so materialised.
        owned: person and product of every purchase.
        also_bought: rows of ``marts.also_bought``.
        also_viewed: rows of ``marts.also_viewed``.
    """
    people = recent.select(C.SUBJECT_ID, _PERSON).distinct()
    products = number_products(also_bought, also_viewed)
    candidates = score_candidates(recent, join_neighbours(also_bought, also_viewed, products))
    owned_numbers = products.join(people.join(owned, C.SUBJECT_ID, how="inner"), C.PRODUCT_ID, how="inner")
    ranked = rank_candidates(candidates, owned_numbers.select(*NUMBERS))
    return name_lists(ranked, people, products)


def run(lake: Lake, days: Days) -> StepReport:
    """Rebuild the table from the ``WINDOW_DAYS`` up to the last day."""
    window = Days(days.last - timedelta(WINDOW_DAYS - 1), days.last)
    subjects = lake.read(SUBJECTS).transform(apply_choices, lake.read("ledger.choices"))
    all_sales = lake.read(ORDER_LINES).transform(keep_sales, lake.read("lake.orders"), lake.read("lake.products"))
    sales = all_sales.where(F.col(C.DAY) <= days.last)
    interactions = select_interactions(lake.read(CLICKS, days=window), sales.where(F.col(C.DAY) >= window.first))
    popular = pick_popular(interactions.where(F.col(C.DAY) > days.last - timedelta(POPULAR_DAYS)))
    recent = weigh_recent_products(interactions).transform(drop_unwilling, subjects).transform(number_people)
    clicked_buys = interactions.where(F.col(_WEIGHT) == ACTION_WEIGHTS["buy"])
    owned = sales.select(*PERSON_PRODUCT).unionByName(clicked_buys.select(*PERSON_PRODUCT)).distinct()
    opted_out = subjects.where(F.col(C.PERSONALISATION_OPT_OUT) & F.col(C.CLOSED_ON).isNull())
    neighbours = (lake.read(f"marts.{ALSO_BOUGHT}"), lake.read(f"marts.{ALSO_VIEWED}"))
    with ExitStack() as scratches:
        latest = scratches.enter_context(lake.scratch(recent)).frame
        best = scratches.enter_context(lake.scratch(popular)).frame
        own = scratches.enter_context(lake.scratch(list_own(latest, owned, *neighbours))).frame
        personal = own.unionByName(fill_up(own, owned, subjects, best))
        rows = build_recommended(personal, opted_out, best, as_of=days.last)
        staged = lake.replace(TABLE, rows, gate=gate(lake, TABLE))
    warnings = [] if staged.rows else [f"{TABLE} is empty: there are no people, or nothing was viewed or bought."]
    return StepReport(rows_in=lake.count(CLICKS, days=window), rows_out=staged.rows, warnings=warnings)
