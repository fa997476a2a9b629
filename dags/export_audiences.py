"""Ad partners: one package of advertising identifiers each.

As soon as a day's subjects and clicks are in: a package per partner. It does not wait for the marts, so that an opt-out
reaches the partners also on a day on which a mart fails.

| | |
|---|---|
| waits for | one and the same day of `lake.subjects`, `lake.products` and `lake.clicks` |
| reads | the partners file (`SOPHILUX_PARTNERS_FILE`) |
| writes | packages, `ledger.exports` |

**Run again** a day: clear its run, or
`airflow dags trigger export_audiences --conf '{"day": "2024-01-31"}'`; one partner only: clear its mapped task.

**Backfill**: packages are for the present; there is nothing to gain from the past. Where it must be:
`sophilux run export_audiences --day 2024-01-31`.

**Triage**: *list_partners* failed: read its one-line message and mend the partners file. One of *export_partner*
failed: the others have their package; mend and clear that one. Nothing leaves before its checks passed.
"""

from airflow.sdk import DAG, task

from jobs.orchestration import HOUSE_RULES, announce, current_day, table_asset, when_written

with DAG(
    "export_audiences",
    schedule=when_written("lake.clicks", "lake.products", "lake.subjects"),
    doc_md=__doc__,
    tags=["export", "personal-data", "daily"],
    **HOUSE_RULES,
):

    @task
    def list_partners() -> list[str]:
        """Names of the partners who get a package."""
        from jobs.exports.partners import load_partners
        from jobs.settings import load_settings

        return [partner.name for partner in load_partners(load_settings().partners)]

    @task(outlets=[table_asset("ledger.exports")], map_index_template="{{ task.op_kwargs['partner'] }}")
    def export_partner(partner: str) -> None:
        """One partner's package for the run's day."""
        from jobs.exports import packages
        from jobs.exports.partners import find_partner
        from jobs.lake import Lake
        from jobs.settings import load_settings

        lake, day = Lake.open(load_settings()), current_day()
        with lake.engine:
            packages.export_partner(lake, find_partner(lake.settings.partners, partner), day)
        announce(["ledger.exports"], day)

    export_partner.expand(partner=list_partners())
