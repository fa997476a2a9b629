"""Clicks: from files to visits.

Every night, the day that has just ended: files of `<clickstream>/<day>/` go to `landing.clickstream`, and from there,
typed, deduplicated and under pseudonyms, to `lake.clicks` and `lake.sessions`.

| | |
|---|---|
| reads | the clickstream's files, `landing.clickstream` |
| writes | `landing.clickstream`, `lake.clicks`, `lake.sessions`, `vault.linked_visitors`, `quarantine.clicks` |
| followed by | `build_marts`, `export_audiences`, once the purchases of the day are in as well |

**Run again** a day: clear its run, or
`airflow dags trigger pull_clickstream --conf '{"day": "2024-01-31"}'`. A day is replaced, never added to.

**Backfill**: `airflow backfill create --dag-id pull_clickstream --from-date 2024-01-01 --to-date 2024-02-01
--max-active-runs 1` is all of January; the last date is left out. Long ranges are much faster in one go:
`sophilux run pull_clickstream --day 2024-01-01 --until 2024-01-31`.

**Triage**: *sources_clickstream* failed: are the files there and readable? *conform_clicks* failed: read its one-line
message; contract and gate errors are not retried, and the last good day stays. Too few clicks without a failure:
`quarantine.clicks` holds every line that was not understood, with the reason.
"""

from airflow.sdk import DAG

from jobs.orchestration import HOUSE_RULES, after_midnight, step_task

with DAG(
    "pull_clickstream",
    schedule=after_midnight("0 2 * * *"),
    doc_md=__doc__,
    tags=["pull", "clicks", "daily"],
    **HOUSE_RULES,
):
    sources_clickstream = step_task("sources.clickstream")
    conform_clicks = step_task("conform.clicks")

    sources_clickstream >> conform_clicks
