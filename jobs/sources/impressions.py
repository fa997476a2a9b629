"""Ad partners' reports of what they showed into ``landing.impressions``.

One record per impression: ``ad_id``, ``campaign``, ``shown_at`` and ``clicked``. The folder of a file is the partner's
name; where files lie is said in :mod:`jobs.sources.record_files`.
"""

from jobs.lake import Days, Lake
from jobs.lake.reports import StepReport
from jobs.sources.record_files import RecordFiles

FILES = RecordFiles(
    table="landing.impressions",
    setting="SOPHILUX_IMPRESSIONS_URL",
    sender="partner",
    required=("ad_id", "campaign", "shown_at"),
)


def run(lake: Lake, days: Days) -> StepReport:
    """Rebuild a range of ``landing.impressions`` from the files of its days."""
    return FILES.land(lake, lake.settings.impressions, days)
