"""Keys: destroy those whose epoch is over.

Every day, soon after midnight: the key of a partner's former epoch goes once its overlap has passed, and is recorded.
What was made with it can then be turned back into a person by nobody, this house included.

| | |
|---|---|
| reads | the key ring (`SOPHILUX_KEYRING_PROVIDER` says where it lies) |
| writes | the key ring, `ledger.key_events` |

**Run again**: clear the run, or `airflow dags trigger rotate_keys --conf '{"day": "2024-01-31"}'`; keys go whose last
day is before that day. What is destroyed stays destroyed, a second run finds nothing.

**Backfill**: never needed; the next run catches up with everything.

**Triage**: *exports_keys* failed and says that the ring *can only be read*: it lies in a variable or a secrets backend;
destroy the keys it names there (see `docs/operating.md`). It says that the ring *lacks keys*: somebody replaced or lost
the ring; stop the other flows, restore it from its backup and clear this run. Keys of the backup that were destroyed
since it was made go again. Which keys there are: `sophilux keys list`.
"""

from airflow.sdk import DAG

from jobs.orchestration import HOUSE_RULES, on_its_day, step_task

with DAG(
    "rotate_keys",
    schedule=on_its_day("30 0 * * *"),
    doc_md=__doc__,
    tags=["keys", "privacy", "daily"],
    **HOUSE_RULES,
):
    exports_keys = step_task("exports.keys")
