"""``marts.recommended_for_you``: products recommended to each person.

Each of a person's latest products votes for its neighbours in ``marts.also_bought`` and ``marts.also_viewed``, the
stronger the later and the closer to a purchase it was. What the person bought already is left out. Lists are filled up
with what is popular. Who opted out of personalisation gets the popular list alone, with nothing of theirs in it, not
even purchases left out; closed accounts get nothing; guests only get a list that follows from what they looked at.
``rank`` orders a list: scores of popular products (share of the most popular one's people) are on a scale of their own.
"""

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
NEIGHBOURS: Final = 20
TOP: Final = 20
# Twice the list, so that it is still full when up to TOP of the popular products are known to the person.
POOL: Final = 2 * TOP
ACTION_WEIGHTS: Final = {"view": 1.0, "cart": 2.0, "favourite": 2.0, "buy": 3.0}
_WEIGHT, _AT, _STEP, _PEOPLE, _VIA_BOUGHT, _VIA_VIEWED = "_weight", "_at", "_step", "_people", "_bought", "_viewed"
_LISTED = "_listed"
PERSON_PRODUCT: Final = (C.SUBJECT_ID, C.PRODUCT_ID)


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
    """The last ``STEPS`` distinct products of each person, weighed by their strongest action over their step."""
    by_product = interactions.groupBy(C.SUBJECT_ID, C.PRODUCT_ID).agg(
        F.max(_WEIGHT).alias(_WEIGHT), F.max(_AT).alias(_AT)
    )
    latest_first = Window.partitionBy(C.SUBJECT_ID).orderBy(F.desc(_AT), C.PRODUCT_ID)
    steps = by_product.withColumn(_STEP, F.row_number().over(latest_first)).where(F.col(_STEP) <= STEPS)
    return steps.select(C.SUBJECT_ID, C.PRODUCT_ID, (F.col(_WEIGHT) / F.col(_STEP)).alias(_WEIGHT))


def score_candidates(recent: "DataFrame", also_bought: "DataFrame", also_viewed: "DataFrame") -> "DataFrame":
    """One row per person and neighbour of their recent products: ``score``, and the ``reason`` that gave most of it."""
    nothing = F.lit(0.0)
    is_near = F.col(C.RANK) <= NEIGHBOURS
    bought = also_bought.where(is_near).select(
        C.PRODUCT_ID, C.OTHER_PRODUCT_ID, F.col(C.SCORE).alias(_VIA_BOUGHT), nothing.alias(_VIA_VIEWED)
    )
    viewed = also_viewed.where(is_near).select(
        C.PRODUCT_ID, C.OTHER_PRODUCT_ID, nothing.alias(_VIA_BOUGHT), F.col(C.SCORE).alias(_VIA_VIEWED)
    )
    votes = recent.join(bought.unionByName(viewed), C.PRODUCT_ID, how="inner")
    # Rounded, because sums of fractions differ in the last bits with the order of rows.
    shares = [F.round(F.sum(F.col(_WEIGHT) * F.col(via)), 9).alias(via) for via in (_VIA_BOUGHT, _VIA_VIEWED)]
    sums = votes.groupBy(C.SUBJECT_ID, F.col(C.OTHER_PRODUCT_ID).alias(C.PRODUCT_ID)).agg(*shares)
    reason = F.when(F.col(_VIA_BOUGHT) >= F.col(_VIA_VIEWED), F.lit(ALSO_BOUGHT)).otherwise(F.lit(ALSO_VIEWED))
    score = F.col(_VIA_BOUGHT) + F.col(_VIA_VIEWED)
    return sums.select(C.SUBJECT_ID, C.PRODUCT_ID, score.alias(C.SCORE), reason.alias(C.REASON))


def pick_popular(interactions: "DataFrame") -> "DataFrame":
    """The ``POOL`` products that most people bought or looked at, with ``score`` as share of the first one's people."""
    people = interactions.select(C.PRODUCT_ID, C.SUBJECT_ID).distinct().groupBy(C.PRODUCT_ID)
    most_first = Window.orderBy(F.desc(_PEOPLE), C.PRODUCT_ID)
    counted = people.agg(F.count(F.lit(1)).alias(_PEOPLE)).withColumn(_STEP, F.row_number().over(most_first))
    share = F.col(_PEOPLE) / F.max(_PEOPLE).over(Window.partitionBy(F.lit(1)))
    pool = counted.withColumn(C.SCORE, share).where(F.col(_STEP) <= POOL)
    return pool.select(C.PRODUCT_ID, C.SCORE, F.lit(POPULAR).alias(C.REASON))


def fill_up(own: "DataFrame", owned: "DataFrame", subjects: "DataFrame", popular: "DataFrame") -> "DataFrame":
    """Popular products, new to them, for the willing with an account whose own list is not full.

    Args:
        own: candidates of the willing, without what they own.
        owned: person and product of every purchase.
        subjects: rows of ``lake.subjects``.
        popular: see :func:`pick_popular`.
    """
    willing = subjects.where(~F.col(C.PERSONALISATION_OPT_OUT) & F.col(C.CLOSED_ON).isNull()).select(C.SUBJECT_ID)
    full = own.groupBy(C.SUBJECT_ID).agg(F.count(F.lit(1)).alias(_LISTED)).where(F.col(_LISTED) >= TOP)
    wanting = willing.join(full.select(C.SUBJECT_ID), C.SUBJECT_ID, how="left_anti")
    return wanting.crossJoin(F.broadcast(popular)).join(owned, list(PERSON_PRODUCT), how="left_anti")


def rank_lists(recommended: "DataFrame") -> "DataFrame":
    """At most ``TOP`` rows per person; a product recommended twice keeps its own reason before ``popular``."""
    is_popular = F.col(C.REASON) == POPULAR
    once = Window.partitionBy(C.SUBJECT_ID, C.PRODUCT_ID).orderBy(is_popular)
    best_first = Window.partitionBy(C.SUBJECT_ID).orderBy(is_popular, F.desc(C.SCORE), C.PRODUCT_ID)
    distinct = recommended.withColumn(_LISTED, F.row_number().over(once)).where(F.col(_LISTED) == 1)
    return distinct.withColumn(C.RANK, F.row_number().over(best_first)).where(F.col(C.RANK) <= TOP)


def build_recommended(
    personal: "DataFrame", opted_out: "DataFrame", popular: "DataFrame", *, as_of: "date"
) -> "DataFrame":
    """Lists of everybody, in the contract's columns.

    Args:
        personal: candidates and fillers of the willing.
        opted_out: people who get the popular list alone.
        popular: see :func:`pick_popular`.
        as_of: last day taken into account.
    """
    plain = opted_out.select(C.SUBJECT_ID).crossJoin(F.broadcast(popular))
    lists = personal.unionByName(plain).transform(rank_lists)
    return lists.select(
        C.SUBJECT_ID,
        subject_bucket(F.col(C.SUBJECT_ID)).alias(C.SUBJECT_BUCKET),
        C.PRODUCT_ID,
        C.RANK,
        C.SCORE,
        C.REASON,
        F.lit(as_of).alias(C.AS_OF),
    )


def run(lake: Lake, days: Days) -> StepReport:
    """Rebuild the table from the ``WINDOW_DAYS`` up to the last day."""
    window = Days(days.last - timedelta(WINDOW_DAYS - 1), days.last)
    subjects = lake.read(SUBJECTS).transform(apply_choices, lake.read("ledger.choices"))
    all_sales = lake.read(ORDER_LINES).transform(keep_sales, lake.read("lake.orders"), lake.read("lake.products"))
    sales = all_sales.where(F.col(C.DAY) <= days.last)
    interactions = select_interactions(lake.read(CLICKS, days=window), sales.where(F.col(C.DAY) >= window.first))
    popular = pick_popular(interactions.where(F.col(C.DAY) > days.last - timedelta(POPULAR_DAYS)))
    neighbours = (lake.read(f"marts.{ALSO_BOUGHT}"), lake.read(f"marts.{ALSO_VIEWED}"))
    candidates = score_candidates(weigh_recent_products(interactions), *neighbours)
    clicked_buys = interactions.where(F.col(_WEIGHT) == ACTION_WEIGHTS["buy"])
    owned = sales.select(C.SUBJECT_ID, C.PRODUCT_ID).unionByName(clicked_buys.select(C.SUBJECT_ID, C.PRODUCT_ID))
    owned = owned.distinct()
    opted_out = subjects.where(F.col(C.PERSONALISATION_OPT_OUT) & F.col(C.CLOSED_ON).isNull())
    new_to_them = candidates.transform(drop_unwilling, subjects).join(owned, list(PERSON_PRODUCT), how="left_anti")
    with lake.scratch(new_to_them) as own, lake.scratch(popular) as best:
        personal = own.frame.unionByName(fill_up(own.frame, owned, subjects, best.frame))
        rows = build_recommended(personal, opted_out, best.frame, as_of=days.last)
        staged = lake.replace(TABLE, rows, gate=gate(lake, TABLE))
    warnings = [] if staged.rows else [f"{TABLE} is empty: there are no people, or nothing was viewed or bought."]
    return StepReport(rows_in=lake.count(CLICKS, days=window), rows_out=staged.rows, warnings=warnings)
