"""Ad effectiveness: whom partners showed an ad, and what these people bought.

Every night, the day that has just ended: files of `<impressions>/<partner>/<day>*` go to `landing.impressions`, and from
there to `lake.impressions` under our own pseudonyms. On the day on which no purchase can count for a week's ads any
more, the week is published: noisy numbers of campaigns with enough people, charged to the privacy budget.

| | |
|---|---|
| reads | the partners' files, `lake.subjects`, `lake.orders`, `lake.order_lines`, `lake.products`; the vault only for partners whose identifiers are made from addresses |
| writes | `landing.impressions`, `lake.impressions`, `quarantine.impressions`, `marts.ad_effectiveness`, `ledger.privacy_charges` |
| runs after | `pull_purchases` by the clock: a purchase has to be in before its week is published |

**Run again** a day: clear its run, or `airflow dags trigger measure_ads --conf '{"day": "2024-01-31"}'`. A week whose
numbers are the same keeps its release and costs nothing; one whose numbers changed is published anew and pays again.

**Backfill** after the purchases of the same days, while the keys of their epochs are there: `sophilux run measure_ads
--day 2024-01-01 --until 2024-01-31`.

**Triage**: *exports_impressions* failed: read its one-line message; a key it names has to be there. Impressions missing
without a failure: `quarantine.impressions` holds them with the reason. *marts_ad_effectiveness* failed and says
*overspend*: the week's month has no budget left; the last release stays, mark the task as done (`sophilux
privacy-budget` lists what was spent). It says that the ledger is *not as it was written*: stop, and find out who
changed it.
"""  # noqa: E501

from airflow.sdk import DAG

from jobs.orchestration import HOUSE_RULES, after_midnight, step_task

with DAG(
    "measure_ads",
    schedule=after_midnight("0 4 * * *"),
    doc_md=__doc__,
    tags=["ads", "personal-data", "daily"],
    **HOUSE_RULES,
):
    sources_impressions = step_task("sources.impressions")
    exports_impressions = step_task("exports.impressions")
    marts_ad_effectiveness = step_task("marts.ad_effectiveness")

    sources_impressions >> exports_impressions >> marts_ad_effectiveness
