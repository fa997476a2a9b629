"""Ad partners: one package of advertising identifiers each.

As soon as a day's subjects, clicks and orders are in: a package per partner, with what changed since the last one it
acknowledged. It does not wait for the marts, so that an opt-out reaches the partners also on a day on which a mart
fails; nor for ever for the day: at noon `export_overdue` makes the packages that are not there yet.

| | |
|---|---|
| waits for | one and the same day of `lake.subjects`, `lake.products`, `lake.clicks`, `lake.orders`, `lake.order_lines`, `lake.exchange_rates` and `vault.identities` |
| reads | the partners file (`SOPHILUX_PARTNERS_FILE`); the vault only for partners whose identifiers are made from addresses |
| writes | packages, at home and where the partner wants them; `ledger.exports`, `ledger.audience_changes` |

**Run again** a day: `airflow dags trigger export_audiences --conf '{"day": "2024-01-31"}'`; one partner only: clear its
mapped task. Until the partner acknowledges the package (`sophilux acknowledge`), a second run replaces it by the same. A
run that nobody asked for leaves out partners who were sent that day or a later one, for they may have applied it.

**Backfill**: packages are for the present and go forward only; there is nothing to gain from the past.

**Triage**: *list_partners* failed: read its one-line message and mend the partners file. One of *exports_packages*
failed: the others have their package; mend and clear that one. `was sent the package of … already`: a later day is
out, so this one is not needed; mark it as done. `could not be delivered`: nothing half lies at the partner; check the
place and its credentials, then clear the task.
"""  # noqa: E501

from airflow.sdk import DAG, task

from jobs.orchestration import HOUSE_RULES, current_day, is_day_asked_for, part_task, when_written

with DAG(
    "export_audiences",
    schedule=when_written(
        "lake.clicks",
        "lake.products",
        "lake.subjects",
        "lake.orders",
        "lake.order_lines",
        "lake.exchange_rates",
        "vault.identities",
    ),
    doc_md=__doc__,
    tags=["export", "personal-data", "daily"],
    **HOUSE_RULES,
):

    @task
    def list_partners() -> list[str]:
        """Names of the partners who get a package; without a day asked for, of those who have none of it yet."""
        from jobs.exports.overdue import list_waiting
        from jobs.lake import Lake
        from jobs.settings import load_settings

        return list_waiting(Lake.open(load_settings()), None if is_day_asked_for() else current_day())

    exports_packages = part_task("exports.packages")
    exports_packages.expand(part=list_partners())
