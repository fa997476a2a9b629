"""``vault.linked_visitors``: cookies with the e-mail addresses that clicks named beside them.

``lake.clicks`` knows a click by its address or by its cookie, and landing, which names both, is gone after a month.
Whose the clicks of a cookie are has to be known as long as they are kept.

Rules:
    * A click that names a cookie and an address is a link; its day is the latest of any click with the cookie.
    * How many addresses a cookie ever came with never falls, so that a cookie of two people does not become one
      person's when the other is erased.
    * A cookie of somebody who was erased gets no link.
"""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.lake import Lake, storage
from jobs.lake import columns as C
from jobs.privacy.keyring import SUBJECT
from jobs.privacy.minimisation.readings import keep_identifier
from jobs.privacy.pseudonyms import keyed_digest, subject_keys, with_keys
from jobs.privacy.tombstones import SUBJECT as SUBJECT_STONE
from jobs.privacy.tombstones import find_erased, has_tombstones

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

TABLE: Final = "vault.linked_visitors"
COOKIE: Final = "_cookie"
"""Of clicks that name an address as well; null in all others."""


def select_links(clicks: "DataFrame", keys: "DataFrame") -> "DataFrame":
    """Cookies with their addresses, in the columns of ``vault.linked_visitors``.

    Args:
        clicks: rows in the columns of ``lake.clicks``, and :data:`COOKIE`.
        keys: one row, of :func:`jobs.privacy.pseudonyms.key_relation` with the name ``subject``.
    """
    named = clicks.where(F.col(COOKIE).isNotNull())
    pairs = named.groupBy(COOKIE, C.SUBJECT_ID, C.SUBJECT_BUCKET).agg(F.max(C.DAY).alias(C.LAST_DAY))
    visitor_id = keyed_digest(F.concat(F.lit("visitor:"), F.col(COOKIE)), SUBJECT)
    digested = with_keys(pairs, keys).withColumn(C.VISITOR_ID, visitor_id)
    link = F.concat(F.lit("link:"), F.col(C.VISITOR_ID), F.lit(":"), F.col(C.SUBJECT_ID))
    return digested.select(
        keyed_digest(link, SUBJECT).alias(C.LINK_ID),
        C.VISITOR_ID,
        keep_identifier(F.col(COOKIE)).alias(C.VISITOR),
        C.SUBJECT_ID,
        C.SUBJECT_BUCKET,
        F.lit(0).alias(C.ADDRESSES),
        C.LAST_DAY,
    )


def sum_links(links: "DataFrame", seen: "DataFrame") -> "DataFrame":
    """One row per link, with the cookie's latest day and number of addresses.

    Args:
        links: rows of ``vault.linked_visitors``, all of a cookie's, some of them twice.
        seen: ``visitor_id`` and ``_seen``, the latest day of clicks under the cookie alone.
    """
    key = [name for name in links.columns if name not in (C.ADDRESSES, C.LAST_DAY)]
    distinct = links.groupBy(*key).agg(F.max(C.ADDRESSES).alias(C.ADDRESSES), F.max(C.LAST_DAY).alias(C.LAST_DAY))
    of_cookie = Window.partitionBy(C.VISITOR_ID)
    addresses = F.greatest(F.max(C.ADDRESSES).over(of_cookie), F.count(F.lit(1)).over(of_cookie)).cast("int")
    last_day = F.greatest(F.max(C.LAST_DAY).over(of_cookie), F.max("_seen").over(of_cookie))
    beside = distinct.join(seen, on=C.VISITOR_ID, how="left")
    summed = beside.withColumns({"_addresses": addresses, "_last_day": last_day})
    return summed.withColumns({C.ADDRESSES: F.col("_addresses"), C.LAST_DAY: F.col("_last_day")}).select(*links.columns)


def find_seen(clicks: "DataFrame", links: "DataFrame") -> "DataFrame":
    """``visitor_id`` and ``_seen``: cookies of links with the latest day of a click under the cookie alone."""
    alone = clicks.where(F.col(COOKIE).isNull()).select(F.col(C.SUBJECT_ID).alias(C.VISITOR_ID), C.DAY)
    of_links = alone.join(links.select(C.VISITOR_ID).distinct(), on=C.VISITOR_ID, how="left_semi")
    return of_links.groupBy(C.VISITOR_ID).agg(F.max(C.DAY).alias("_seen"))


def publish_links(lake: Lake, clicks: "DataFrame") -> None:
    """Merge the links of a pull, and keep those of cookies that were seen again; a second time changes nothing.

    Args:
        lake: the lake.
        clicks: as for :func:`select_links`.
    """
    with storage.table_lock(lake.home, f"{TABLE}.fold", exclusive=True), ExitStack() as stack:
        fresh = stack.enter_context(lake.scratch(clicks.transform(select_links, subject_keys(lake))))
        new = leave_erased(lake, fresh.frame) if fresh.rows and has_tombstones(lake) else fresh.frame
        links = new.unionByName(lake.read(TABLE))
        seen = stack.enter_context(lake.scratch(clicks.transform(find_seen, links)))
        if not fresh.rows and not seen.rows:
            return
        touched = new.select(C.VISITOR_ID).unionByName(seen.frame.select(C.VISITOR_ID)).distinct()
        theirs = links.join(touched, on=C.VISITOR_ID, how="left_semi")
        lake.merge(TABLE, theirs.transform(sum_links, seen.frame), newest_by=C.LAST_DAY)


def leave_erased(lake: Lake, links: "DataFrame") -> "DataFrame":
    """Links without those of cookies that were an erased person's."""
    erased = find_erased(lake, links.select(C.VISITOR_ID), SUBJECT_STONE).where(F.col("_lifted_at").isNull())
    return links.join(F.broadcast(erased), F.col(C.VISITOR_ID) == F.col("_erased"), how="left_anti")
