"""Ad partners: the packages of yesterday that are not there at noon.

`export_audiences` makes a day's packages once all of the day is in. When clicks or purchases are late, or do not come
for a week, people who opted out, closed their account or were erased must not wait for them: at noon every partner who
was sent packages before and has none of yesterday gets one, of what is in. Its manifest names the last day whose clicks
it counts (`clicks_until`) and the weeks of purchases that it tells; nothing in it is of half a day. What was late comes
with the next day's package.

| | |
|---|---|
| waits for | the clock only |
| reads | what `export_audiences` reads, and `ledger.step_runs`, which tells the days that are whole |
| writes | packages, at home and where the partner wants them; `ledger.exports`, `ledger.audience_changes` |

**Run again**: clear the run, or `airflow dags trigger export_overdue --conf '{"day": "2024-01-31"}'`; who has a package
of the day or a later one gets no other.

**Backfill**: never needed; packages are for the present and go forward only.

**Triage**: it had something to do: see why the day's pulls are late. *exports_overdue* failed: all other partners have
their package; its message says what kept each of the rest from it. `could not be delivered`: check the place and its
credentials, then clear the task.
"""

from airflow.sdk import DAG

from jobs.orchestration import HOUSE_RULES, after_midnight, step_task

with DAG(
    "export_overdue",
    schedule=after_midnight("0 12 * * *"),
    doc_md=__doc__,
    tags=["export", "personal-data", "daily"],
    **HOUSE_RULES,
):
    exports_overdue = step_task("exports.overdue")
