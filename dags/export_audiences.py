"""Ad partners: one package of advertising identifiers each.

As soon as a day's subjects, clicks and orders are in: a package per partner, with what changed since the last one it
acknowledged. It does not wait for the marts, so that an opt-out reaches the partners also on a day on which a mart
fails.

| | |
|---|---|
| waits for | one and the same day of `lake.subjects`, `lake.products`, `lake.clicks`, `lake.orders`, `lake.order_lines`, `lake.exchange_rates` and `vault.identities` |
| reads | the partners file (`SOPHILUX_PARTNERS_FILE`); the vault only for partners whose identifiers are made from addresses |
| writes | packages, at home and where the partner wants them; `ledger.exports`, `ledger.audience_changes` |

**Run again** a day: clear its run, or
`airflow dags trigger export_audiences --conf '{"day": "2024-01-31"}'`; one partner only: clear its mapped task. Until
the partner acknowledges the package (`sophilux acknowledge`), a second run replaces it by the same.

**Backfill**: packages are for the present and go forward only; there is nothing to gain from the past.

**Triage**: *list_partners* failed: read its one-line message and mend the partners file. One of *exports_packages*
failed: the others have their package; mend and clear that one. `was sent the package of … already`: a later day is
out, so this one is not needed; mark it as done. `could not be delivered`: nothing half lies at the partner; check the
place and its credentials, then clear the task.
"""  # noqa: E501

from airflow.sdk import DAG, task

from jobs.orchestration import HOUSE_RULES, part_task, when_written

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
        """Names of the partners who get a package."""
        from jobs.exports.partners import find_recipients
        from jobs.settings import load_settings

        return [partner.name for partner in find_recipients(load_settings().partners)]

    exports_packages = part_task("exports.packages")
    exports_packages.expand(part=list_partners())
