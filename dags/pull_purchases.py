"""Purchases: customers, catalogue, orders and returns.

Every night, the day that has just ended: what changed in the shop's database that day goes to `landing`, and from
there to the vault (who people are), to `lake.subjects` (pseudonyms, opt-outs) and to the order history.

| | |
|---|---|
| reads | the shop's database: `SOPHILUX_PURCHASES_URI`, which may be `airflow://<connection>` |
| writes | `landing.*` of the shop, `vault.customers`, `vault.identities`, `vault.addresses`, `vault.linked_purchases`, `lake.subjects`, `lake.products`, `lake.orders`, `lake.order_lines`, `lake.returns`, `lake.exchange_rates`, `quarantine.*` |
| followed by | `build_marts`, `export_audiences`, once the clicks of the day are in as well |

**Run again** a day: clear its run, or
`airflow dags trigger pull_purchases --conf '{"day": "2024-01-31"}'`. A day is replaced, never added to.

**Backfill**: `airflow backfill create --dag-id pull_purchases --from-date 2024-01-01 --to-date 2024-02-01
--max-active-runs 1` is all of January; the last date is left out. Long ranges are much faster in one go:
`sophilux run pull_purchases --day 2024-01-01 --until 2024-01-31`.

**Triage**: *sources_purchases* failed: can this machine reach the database, is the connection right? It is retried
with growing pauses. *sources_exchange_rates* failed: its message names the wrong lines of the file. A *conform* task
failed: read its one-line message; contract and gate errors are not retried, and
the last good day stays. Rows missing without a failure: `quarantine.<table>` holds them with the reason.
"""  # noqa: E501

from airflow.sdk import DAG

from jobs.orchestration import HOUSE_RULES, after_midnight, step_task

with DAG(
    "pull_purchases",
    schedule=after_midnight("0 2 * * *"),
    doc_md=__doc__,
    tags=["pull", "purchases", "personal-data", "daily"],
    **HOUSE_RULES,
):
    sources_purchases = step_task("sources.purchases")
    sources_exchange_rates = step_task("sources.exchange_rates")
    conform_customers = step_task("conform.customers")
    conform_products = step_task("conform.products")
    conform_orders = step_task("conform.orders")
    conform_order_lines = step_task("conform.order_lines")
    conform_returns = step_task("conform.returns")

    sources_purchases >> [conform_customers, conform_products]
    conform_customers >> conform_orders
    conform_orders >> [conform_order_lines, conform_returns]
