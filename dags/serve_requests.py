"""Requests of people: access, correction, opt-out and erasure, answered within 15 working days.

Every morning: accounts that were closed open a request to erase; what a machine can serve is served, and so is erasure
that somebody agreed to; requests that are due soon and not answered make *check_deadlines* fail, which is the alert.

| | |
|---|---|
| reads | `vault.customers`, the requests that `sophilux request new` recorded |
| writes | `ledger.requests`, `ledger.request_events`, `ledger.choices`, `vault.request_payloads`; corrections and erasure change the tables that hold the person |
| settings | `SOPHILUX_ERASE_POLICY`, `SOPHILUX_REQUEST_ALERT_DAYS`, `SOPHILUX_HOLIDAYS_FILE` |

**Run again**: clear the run, or `airflow dags trigger serve_requests --conf '{"day": "2024-01-31"}'`. What is answered
stays so; what a run left half done is served again.

**Backfill**: never needed; the next run catches up with everything.

**Triage**: *check_deadlines* failed: it names requests and days; look at each with `sophilux request show`, then `serve`,
`approve` or `refuse` it, and clear the task. *requests_serving* failed: all other requests are served; its message says
what kept each of the rest open. *requests_closed_accounts* failed: read its one-line message; nothing was opened.
"""  # noqa: E501

from airflow.sdk import DAG, task

from jobs.orchestration import HOUSE_RULES, current_day, on_its_day, step_task

with DAG(
    "serve_requests",
    schedule=on_its_day("0 6 * * *"),
    doc_md=__doc__,
    tags=["requests", "personal-data", "daily"],
    **HOUSE_RULES,
):

    @task(trigger_rule="all_done")
    def check_deadlines() -> None:
        """Fail when requests are due soon and not answered."""
        from jobs.lake import Lake
        from jobs.requests import deadlines
        from jobs.settings import load_settings

        deadlines.check_deadlines(Lake.open(load_settings()), current_day())

    requests_closed_accounts = step_task("requests.closed_accounts")
    requests_serving = step_task("requests.serving")

    # The alert comes also when serving fails. It hangs on the step before, because a run is as good as its last tasks.
    requests_closed_accounts >> [requests_serving, check_deadlines()]
