"""Marts: best-sellers and recommendations.

As soon as a day's clicks and purchases are in: the tables that marketing and the shop's pages look at.

| | |
|---|---|
| waits for | one and the same day of `lake.clicks`, `lake.sessions`, `lake.orders`, `lake.order_lines`, `lake.returns`, `lake.products`, `lake.subjects`, `lake.exchange_rates` |
| writes | `marts.bestsellers_exact`, `ledger.chart_exclusions`, `marts.bestsellers`, `ledger.privacy_charges`, `ledger.chart_utility`, `marts.also_bought`, `marts.also_viewed`, `marts.recommended_for_you`, `marts.recently_viewed`; and the report, in the lake's folder `report` |

**Run again** a day, for example after a pull was repeated:
`airflow dags trigger build_marts --conf '{"day": "2024-01-31"}'`. A day is replaced, never added to.

**Backfill**: backfill the two pulls; each of their days starts this one. For marts alone:
`sophilux run build_marts --day 2024-01-01 --until 2024-01-31`.

**Triage**: it did not start: one of the tables above lacks the day; the run's asset view shows which. A task failed at
its gate: the message names the expectation; the last good table stays published, so marketing sees yesterday's. *report_site* runs whatever failed before it, because
its pages say what was held back and why; *tell_failures* then fails the run.
*marts_bestsellers* says that a release would overspend: the month has published what it may; see docs/privacy-numbers.md.
"""  # noqa: E501

from airflow.sdk import DAG

from jobs.orchestration import HOUSE_RULES, failure_task, step_task, when_written

with DAG(
    "build_marts",
    schedule=when_written(
        "lake.clicks",
        "lake.sessions",
        "lake.orders",
        "lake.order_lines",
        "lake.returns",
        "lake.products",
        "lake.subjects",
        "lake.exchange_rates",
    ),
    doc_md=__doc__,
    tags=["marts", "daily"],
    **HOUSE_RULES,
):
    marts_bestsellers_exact = step_task("marts.bestsellers_exact")
    marts_bestsellers = step_task("marts.bestsellers")
    marts_also_bought = step_task("marts.also_bought")
    marts_also_viewed = step_task("marts.also_viewed")
    marts_recommended_for_you = step_task("marts.recommended_for_you")
    marts_recently_viewed = step_task("marts.recently_viewed")

    marts_bestsellers_exact >> marts_bestsellers
    [marts_also_bought, marts_also_viewed] >> marts_recommended_for_you

    report_site = step_task("report.site", trigger_rule="all_done")
    marts = [marts_bestsellers, marts_recommended_for_you, marts_recently_viewed]
    marts >> report_site
    [*marts, marts_bestsellers_exact, marts_also_bought, marts_also_viewed, report_site] >> failure_task()
