"""``marts.ad_effectiveness`` as the pages need it: a row per week, partner and campaign, newest week first."""

from typing import TYPE_CHECKING, Any, Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.report.tables import AD_EFFECTIVENESS, check_publishable

if TYPE_CHECKING:
    import pyarrow as pa

KEPT_WEEKS: Final = 26
COLUMNS: Final = (
    C.WEEK, C.WEEK_START, C.PARTNER, C.CAMPAIGN, C.REACHED, C.REACHED_MARGIN, C.CLICKED, C.CLICKED_MARGIN, C.BOUGHT,
    C.BOUGHT_MARGIN, C.REVENUE, C.REVENUE_MARGIN,
)  # fmt: skip


def read_ads(lake: Lake) -> "pa.Table":
    """Rows of the newest weeks."""
    contract = check_publishable(lake.contracts[AD_EFFECTIVENESS.table])
    weeks = sorted({file.partition for file in lake.list_files(contract.name) if file.partition and file.rows})
    return lake.read_arrow(contract.name, weeks[-KEPT_WEEKS:])


def arrange(rows: "pa.Table") -> list[dict[str, Any]]:
    """Rows for the page, newest week first, a partner's campaigns after its total."""
    found = rows.select(list(COLUMNS)).to_pylist()
    by_campaign = sorted(found, key=lambda row: (row[C.PARTNER], not is_total(row), -row[C.REACHED], row[C.CAMPAIGN]))
    newest_first = sorted(by_campaign, key=lambda row: row[C.WEEK_START], reverse=True)
    return [{**row, C.WEEK_START: row[C.WEEK_START].isoformat()} for row in newest_first]


def is_total(row: dict[str, Any]) -> bool:
    """True for the row of all of a partner's campaigns together."""
    return str(row[C.CAMPAIGN]) == "(all)"
