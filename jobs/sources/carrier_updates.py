"""Carriers' files into ``landing.carrier_updates``; where they lie is said in :mod:`jobs.sources.record_files`."""

from jobs.lake import Days, Lake
from jobs.lake.reports import StepReport
from jobs.sources.record_files import RecordFiles

FILES = RecordFiles(
    table="landing.carrier_updates",
    setting="SOPHILUX_CARRIERS_URL",
    sender="carrier",
    required=("tracking_no", "event", "event_time"),
)


def run(lake: Lake, days: Days) -> StepReport:
    """Rebuild a range of ``landing.carrier_updates`` from the files of its days."""
    return FILES.land(lake, lake.settings.carriers, days)
