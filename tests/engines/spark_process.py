"""A process of its own with one local Spark, on which everything is done that tests compare with the embedded engine.

``python -m tests.engines.spark_process WORK`` runs every flow over ``WORK/shop``, whose drops and keys are there;
conforms ``WORK/forgetful`` again, a shop of which somebody was erased; and writes ``WORK/clustered``. What it counted
and computed is in ``WORK/answers.json``. All is shown and kept, as :mod:`tests.flows.planted_run` does, for keys are at
work: a second Spark would cost minutes and show no more.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.flows.planted_run import everything_shown, fail_with_keys


def main(work: Path) -> None:
    with everything_shown(work):
        from jobs.lake import Lake
        from jobs.settings import load_settings
        from tests.conftest import run_all_flows
        from tests.engines import forgetting
        from tests.lake import clustered
        from tests.lake.sliced import read_sliced
        from tests.privacy.emails.written import normalise_all, spell_out
        from tests.requests.asking import ask

        lake = Lake.open(load_settings(str(work / "shop")))
        with lake.engine:
            run_all_flows(lake)
            fail_with_keys(lake)
            forgetful, other = (
                Lake(load_settings(str(work / name)), lake.engine, lake.contracts)
                for name in ("forgetful", "clustered")
            )
            counted = forgetting.conform_again(forgetful)
            for kind in ("opt-out", "access"):
                ask(forgetful, kind, at=datetime.now(UTC))
            clustered.fill(other)
            answers = {
                "counted": {step: vars(report) for step, report in counted.items()},
                "normalised": normalise_all(lake, spell_out()),
                "sliced": read_sliced(lake),
            }
    (work / "answers.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
