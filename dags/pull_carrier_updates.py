"""Carriers: where parcels are, and corrected addresses.

Every night, the day that has just ended: files of `<carriers>/<carrier>/<day>*` go to `landing.carrier_updates`, and
from there to the parcels and, where a carrier corrected an address, to the vault as a new version of it.

| | |
|---|---|
| reads | the carriers' files, `landing.carrier_updates`, `lake.orders`, `vault.addresses` |
| writes | `landing.carrier_updates`, `lake.parcel_events`, `lake.parcels`, `vault.addresses`, `quarantine.carrier_updates` |
| runs after | `pull_purchases` by the clock: a parcel finds its buyer in `lake.orders` |

**Run again** a day: clear its run, or
`airflow dags trigger pull_carrier_updates --conf '{"day": "2024-01-31"}'`. A day is replaced, never added to.

**Backfill** after the purchases of the same days: `airflow backfill create --dag-id pull_carrier_updates --from-date
2024-01-01 --to-date 2024-02-01 --max-active-runs 1` is all of January; the last date is left out. Long ranges are much
faster in one go: `sophilux run pull_carrier_updates --day 2024-01-01 --until 2024-01-31`.

**Triage**: *sources_carrier_updates* failed: are the files there and readable? *conform_carrier_updates* failed: read
its one-line message; when it lost a race for `vault.addresses` against *pull_purchases*, the retry settles it. Updates
missing without a failure: `quarantine.carrier_updates` holds them with the reason.
"""  # noqa: E501

from airflow.sdk import DAG

from jobs.orchestration import HOUSE_RULES, after_midnight, step_task

with DAG(
    "pull_carrier_updates",
    schedule=after_midnight("0 3 * * *"),
    doc_md=__doc__,
    tags=["pull", "carriers", "personal-data", "daily"],
    **HOUSE_RULES,
):
    sources_carrier_updates = step_task("sources.carrier_updates")
    conform_carrier_updates = step_task("conform.carrier_updates")

    sources_carrier_updates >> conform_carrier_updates
