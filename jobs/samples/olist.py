"""*Olist* (CC BY-NC-SA 4.0) as the shop's database and a carrier's files: every order and item becomes a row, as it is.

``customer_unique_id`` is the person. Times are taken as UTC. Statuses become ours by ``STATUSES``. A parcel has the
events that the data shows and no others: hand-over and delivery, each where its time is given. Payments, sellers and
freight have no place in the shop's tables.

References:
    https://www.kaggle.com/datasets/olistbr/brazilian-ecommerce
"""

from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa

from jobs.errors import SourceError
from jobs.lake import columns as C
from jobs.samples.drops import CARRIER_FIELDS, Progress, local_root, write_csv, write_database, write_partners
from jobs.samples.public_addresses import spell_addresses
from jobs.settings import Settings

CARRIER: Final = "olist"
COUNTRY: Final = "BR"
UNCATEGORISED: Final = "Uncategorised"
PERSON: Final = "customer_unique_id"
PURCHASED: Final = "order_purchase_timestamp"
STATUSES: Final = {
    "created": "placed",
    "approved": "paid",
    "invoiced": "paid",
    "processing": "paid",
    "shipped": "shipped",
    "delivered": "delivered",
    "canceled": "cancelled",
    "unavailable": "cancelled",
}
EVENTS: Final = {"order_delivered_carrier_date": "handed_over", "order_delivered_customer_date": "delivered"}
TIMES: Final = (PURCHASED, "order_approved_at", *EVENTS)


def write_drops(source: Path, settings: Settings, progress: Progress = None) -> dict[str, int]:
    """Write the shop's database and the carrier's files from the data set.

    Args:
        source: folder that holds ``olist/*.csv.gz``.
        settings: where the drops go; a database there is replaced.
        progress: called with a line when all is written.

    Returns:
        Rows per table, and ``carrier_updates``.

    Raises:
        SourceError: a file is not there.
    """
    root = local_root(settings)
    orders = read_orders(source)
    items = _read(source, "order_items").merge(orders[["order_id", PURCHASED, C.UPDATED_AT]], how="left", on="order_id")
    rows = write_database(
        root,
        {
            "customers": tabulate_customers(orders),
            "products": tabulate_products(_read(source, "products"), items, orders[PURCHASED].min()),
            "orders": tabulate_orders(orders),
            "order_lines": tabulate_order_lines(items),
        },
    )
    write_partners(root)
    rows["carrier_updates"] = write_parcel_events(root / "carriers" / CARRIER, orders)
    if progress:
        progress(f"olist: {sum(rows.values())} rows")
    return rows


def read_orders(source: Path) -> pd.DataFrame:
    """The set's orders in its order with their customers' columns; ``updated_at`` is the latest time of the order."""
    orders = _read(source, "orders").merge(_read(source, "customers"), how="left", on="customer_id")
    orders[C.UPDATED_AT] = orders[list(TIMES)].max(axis=1)
    return orders


def tabulate_customers(orders: pd.DataFrame) -> pa.Table:
    """One account per person with the place of the latest order, changed when that place first appeared."""
    place = ["customer_zip_code_prefix", "customer_city"]
    since = orders.groupby([PERSON, *place], as_index=False).agg(updated=(PURCHASED, "min"))
    created = orders.groupby(PERSON, as_index=False).agg(created=(PURCHASED, "min"))
    latest = orders.sort_values([PERSON, PURCHASED, "order_id"]).drop_duplicates(PERSON, keep="last")
    people = (
        latest[[PERSON, *place]].merge(since, how="left", on=[PERSON, *place]).merge(created, how="left", on=PERSON)
    )
    size = len(people)
    unknown = (C.FULL_NAME, C.PHONE, C.BIRTH_DATE, C.STREET, C.CONSENTED_AT, C.CLOSED_AT)
    return pa.table(
        {
            C.CUSTOMER_ID: people[PERSON].to_list(),
            C.EMAIL: spell_addresses(people[PERSON].to_list()),
            **{name: pa.nulls(size, pa.string()) for name in unknown},
            C.COUNTRY: [COUNTRY] * size,
            C.CITY: people["customer_city"].to_list(),
            C.POSTCODE: people["customer_zip_code_prefix"].to_list(),
            C.ADS_OPT_OUT: pa.repeat(0, size),
            C.PERSONALISATION_OPT_OUT: pa.repeat(0, size),
            C.CREATED_AT: people["created"].to_list(),
            C.UPDATED_AT: people["updated"].to_list(),
        }
    )


def tabulate_products(products: pd.DataFrame, items: pd.DataFrame, earliest: str) -> pa.Table:
    """One product per row; it has no name and no price of its own."""
    first_sold = items.groupby("product_id")[PURCHASED].min()
    category = products["product_category_name"].replace("", UNCATEGORISED)
    return pa.table(
        {
            C.PRODUCT_ID: products["product_id"].to_list(),
            C.NAME: pa.nulls(len(products), pa.string()),
            C.CATEGORY_PATH: category.to_list(),
            C.UNIT_PRICE: pa.nulls(len(products), pa.float64()),
            C.IS_MERCHANDISE: pa.repeat(1, len(products)),
            C.UPDATED_AT: products["product_id"].map(first_sold).fillna(earliest).to_list(),
        }
    )


def tabulate_orders(orders: pd.DataFrame) -> pa.Table:
    """One order per row; when an order was cancelled is not known."""
    people = orders[PERSON].to_list()
    return pa.table(
        {
            C.ORDER_ID: orders["order_id"].to_list(),
            C.CUSTOMER_ID: people,
            C.EMAIL: spell_addresses(people),
            C.COUNTRY: [COUNTRY] * len(orders),
            C.STATUS: orders["order_status"].map(STATUSES).to_list(),
            C.ORDERED_AT: orders[PURCHASED].to_list(),
            C.CANCELLED_AT: pa.nulls(len(orders), pa.string()),
            C.UPDATED_AT: orders[C.UPDATED_AT].to_list(),
        }
    )


def tabulate_order_lines(items: pd.DataFrame) -> pa.Table:
    """One order line of one piece per item; the shop touches it whenever it touches the order."""
    return pa.table(
        {
            C.ORDER_ID: items["order_id"].to_list(),
            C.LINE_NO: items["order_item_id"].astype("int64").to_numpy(),
            C.PRODUCT_ID: items["product_id"].to_list(),
            C.QUANTITY: pa.repeat(1, len(items)),
            C.UNIT_PRICE: items["price"].astype("float64").to_numpy(),
            C.UPDATED_AT: items[C.UPDATED_AT].to_list(),
        }
    )


def write_parcel_events(folder: Path, orders: pd.DataFrame) -> int:
    """Write a CSV file per day with the events of that day; an order is one parcel."""
    parts = [
        pd.DataFrame({C.ORDER_ID: orders["order_id"], "event": event, C.EVENT_TIME: orders[column]})
        for column, event in EVENTS.items()
    ]
    events = pd.concat(parts)
    events = events[events[C.EVENT_TIME] != ""].sort_values([C.EVENT_TIME, C.ORDER_ID, "event"])
    events["tracking_no"] = "OL" + events[C.ORDER_ID].str[:16]
    events = events.reindex(columns=list(CARRIER_FIELDS)).astype(object)
    table = events.where(events.notna(), None)
    for day, rows in table.groupby(table[C.EVENT_TIME].str[:10], sort=True):
        write_csv(folder / f"{day}.csv", CARRIER_FIELDS, rows.itertuples(index=False, name=None))
    return len(table)


def _read(source: Path, name: str) -> pd.DataFrame:
    """One file of the set, all as text, empty where there is nothing."""
    file = source / "olist" / f"olist_{name}_dataset.csv.gz"
    if not file.exists():
        message = f"olist/{file.name} is not in the folder of public data sets; name the folder that holds it."
        raise SourceError(message)
    return pd.read_csv(file, dtype=str, keep_default_na=False)
