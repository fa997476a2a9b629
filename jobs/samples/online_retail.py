"""UCI *Online Retail* (Daqing Chen, CC BY 4.0) as the shop's database: every invoice line becomes a row, as it is.

Invoices beginning with ``C`` are returns; all others are orders, stock corrections and bad debts among them. The set
has no line numbers, no reasons of returns and no order statuses (an invoice counts as paid). Times are taken as UTC.

References:
    https://archive.ics.uci.edu/dataset/352/online+retail
"""

from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa

from jobs.errors import SourceError
from jobs.lake import columns as C
from jobs.samples.drops import Progress, local_root, write_database, write_partners
from jobs.samples.public_addresses import spell_addresses
from jobs.settings import Settings

FILE: Final = "online_retail_2010_2011.parquet"
RETURN: Final = "C"
MERCHANDISE: Final = r"^[0-9]{5}"
UNCATEGORISED: Final = "Uncategorised"
SERVICES: Final = "Services"
# The first that matches wins; the set itself has no categories.
CATEGORIES: Final = (
    (r"CHRISTMAS|XMAS|ADVENT|REINDEER|SANTA", "Seasonal/Christmas"),
    (r"EASTER|BUNNY|EGG", "Seasonal/Easter"),
    (r"BAG|SHOPPER|PURSE|LUGGAGE", "Fashion/Bags"),
    (r"NECKLACE|BRACELET|EARRING|RING|BROOCH|CHARM", "Fashion/Jewellery"),
    (r"LIGHT|LAMP|LANTERN|CANDLE", "Home/Lighting"),
    (r"MUG|CUP|TEA|PLATE|BOWL|CAKE|JAR|LUNCH|BOTTLE|GLASS|SPOON|KITCHEN|BAKING|TRAY", "Home/Kitchen"),
    (r"CUSHION|BLANKET|QUILT|DOORMAT|APRON|TOWEL|CURTAIN", "Home/Textiles"),
    (r"SIGN|FRAME|CLOCK|HOLDER|HOOK|DRAWER|CABINET|BOX|TIN|BASKET|MIRROR", "Home/Furnishings"),
    (r"GARDEN|PLANT|FLOWER|SEED|WATERING|BIRD", "Garden"),
    (r"CARD|PAPER|PEN|PENCIL|NOTEBOOK|STICKER|WRAP|CHALK", "Stationery"),
    (r"TOY|GAME|PUZZLE|DOLL|CHILD|SKITTLES|PLAYHOUSE|JIGSAW", "Toys"),
    (r"BUNTING|DECORATION|HEART|GARLAND|PARTY|RIBBON", "Decoration"),
)


def write_drops(source: Path, settings: Settings, progress: Progress = None) -> dict[str, int]:
    """Write the shop's database from the data set.

    Args:
        source: folder that holds ``online_retail_2010_2011.parquet``.
        settings: where the drops go; a database there is replaced.
        progress: called with a line when the database is written.

    Returns:
        Rows per table.

    Raises:
        SourceError: the file is not there.
    """
    root = local_root(settings)
    invoice_lines = read_invoice_lines(source)
    is_return = invoice_lines["InvoiceNo"].str.startswith(RETURN)
    sold = invoice_lines[~is_return]
    rows = write_database(
        root,
        {
            "customers": tabulate_customers(invoice_lines),
            "products": tabulate_products(invoice_lines),
            "orders": tabulate_orders(sold),
            "order_lines": tabulate_order_lines(sold),
            "returns": tabulate_returns(invoice_lines[is_return]),
        },
    )
    write_partners(root)
    if progress:
        progress(f"online retail: {sum(rows.values())} rows")
    return rows


def read_invoice_lines(source: Path) -> pd.DataFrame:
    """The set's rows in its order, with ``person`` (text or None) and ``time`` (the database's text) added."""
    file = source / FILE
    if not file.exists():
        message = f"{FILE} is not in the folder of public data sets; name the folder that holds it."
        raise SourceError(message)
    invoice_lines = pd.read_parquet(file)
    person = invoice_lines["CustomerID"].astype("Int64").astype("string").astype(object)
    invoice_lines["person"] = person.where(invoice_lines["CustomerID"].notna(), None)
    invoice_lines["time"] = invoice_lines["InvoiceDate"].dt.strftime("%Y-%m-%d %H:%M:%S")
    return invoice_lines


def tabulate_customers(invoice_lines: pd.DataFrame) -> pa.Table:
    """One account per customer with the country of the latest invoice, changed when that country first appeared."""
    known = invoice_lines.dropna(subset="CustomerID").sort_values(["CustomerID", "time", "InvoiceNo"], kind="stable")
    first = known.groupby("person", sort=True)["time"].min()
    latest = known.groupby("person", sort=True)["Country"].last()
    since = known.groupby(["person", "Country"])["time"].min()
    people = first.index.to_list()
    updated = [since[person, country] for person, country in latest.items()]
    size = len(people)
    return pa.table(
        {
            C.CUSTOMER_ID: people,
            C.EMAIL: spell_addresses(people),
            **{name: pa.nulls(size, pa.string()) for name in _UNKNOWN},
            C.COUNTRY: latest.to_list(),
            C.ADS_OPT_OUT: pa.repeat(0, size),
            C.PERSONALISATION_OPT_OUT: pa.repeat(0, size),
            C.CREATED_AT: first.to_list(),
            C.UPDATED_AT: updated,
        }
    )


def tabulate_products(invoice_lines: pd.DataFrame) -> pa.Table:
    """One product per stock code as written, named and priced as most of its lines are."""
    by_code = invoice_lines.groupby("StockCode", sort=True)["time"].min()
    names = _most_frequent(invoice_lines.dropna(subset="Description"), "Description").reindex(by_code.index)
    prices = _most_frequent(invoice_lines[invoice_lines["UnitPrice"] > 0], "UnitPrice").reindex(by_code.index)
    is_merchandise = by_code.index.str.match(MERCHANDISE)
    return pa.table(
        {
            C.PRODUCT_ID: by_code.index.to_list(),
            C.NAME: pa.array(names, pa.string(), from_pandas=True),
            C.CATEGORY_PATH: _categorise(names, is_merchandise),
            C.UNIT_PRICE: pa.array(prices, pa.float64(), from_pandas=True),
            C.IS_MERCHANDISE: is_merchandise.astype("int64"),
            C.UPDATED_AT: by_code.to_list(),
        }
    )


def tabulate_orders(sold: pd.DataFrame) -> pa.Table:
    """One order per invoice, at its earliest line's time."""
    invoices = sold.sort_values(["InvoiceNo", "time"], kind="stable").drop_duplicates("InvoiceNo")
    return pa.table(
        {
            C.ORDER_ID: invoices["InvoiceNo"].to_list(),
            **_contact(invoices),
            C.STATUS: ["paid"] * len(invoices),
            C.ORDERED_AT: invoices["time"].to_list(),
            C.CANCELLED_AT: pa.nulls(len(invoices), pa.string()),
            C.UPDATED_AT: invoices["time"].to_list(),
        }
    )


def tabulate_order_lines(sold: pd.DataFrame) -> pa.Table:
    """One order line per line of an invoice that is no return."""
    return pa.table(
        {
            C.ORDER_ID: sold["InvoiceNo"].to_list(),
            C.LINE_NO: pa.nulls(len(sold), pa.int64()),
            C.PRODUCT_ID: sold["StockCode"].to_list(),
            C.QUANTITY: sold["Quantity"].to_numpy(),
            C.UNIT_PRICE: sold["UnitPrice"].to_numpy(),
            C.UPDATED_AT: sold["time"].to_list(),
        }
    )


def tabulate_returns(returned: pd.DataFrame) -> pa.Table:
    """One return per line of an invoice that begins with ``C``; the purchase is not known."""
    return pa.table(
        {
            C.RETURN_ID: returned["InvoiceNo"].to_list(),
            C.ORDER_ID: pa.nulls(len(returned), pa.string()),
            **_contact(returned),
            C.PRODUCT_ID: returned["StockCode"].to_list(),
            C.QUANTITY: -returned["Quantity"].to_numpy(),
            C.UNIT_PRICE: returned["UnitPrice"].to_numpy(),
            C.REASON: pa.nulls(len(returned), pa.string()),
            C.RETURNED_AT: returned["time"].to_list(),
            C.UPDATED_AT: returned["time"].to_list(),
        }
    )


_UNKNOWN: Final = (
    C.FULL_NAME, C.PHONE, C.BIRTH_DATE, C.STREET, C.CITY, C.POSTCODE, C.CONSENTED_AT, C.CLOSED_AT,
)  # fmt: skip


def _contact(invoices: pd.DataFrame) -> dict[str, pa.Array]:
    people = invoices["person"].to_list()
    return {
        C.CUSTOMER_ID: pa.array(people, pa.string()),
        C.EMAIL: pa.array(spell_addresses(people), pa.string()),
        C.COUNTRY: pa.array(invoices["Country"].to_list(), pa.string()),
    }


def _most_frequent(invoice_lines: pd.DataFrame, column: str) -> pd.Series:
    """Per stock code the most frequent value; the lowest of several."""
    counts = invoice_lines.groupby(["StockCode", column]).size().reset_index(name="n")
    ranked = counts.sort_values(["StockCode", "n", column], ascending=[True, False, True])
    return ranked.drop_duplicates("StockCode").set_index("StockCode")[column]


def _categorise(names: pd.Series, is_merchandise: "pd.Series[bool]") -> list[str]:
    paths = pd.Series(UNCATEGORISED, index=names.index, dtype=object)
    for words, path in reversed(CATEGORIES):
        paths[names.str.contains(rf"\b(?:{words})S?\b", na=False)] = path
    paths[~is_merchandise] = SERVICES
    listed: list[str] = paths.to_list()
    return listed
