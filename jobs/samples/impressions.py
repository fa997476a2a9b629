"""What a partner of a generated shop reports back: whom of its last package it showed an ad.

A partner knows nothing but the identifiers of its package, so these files can be written only after the export.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final

from jobs.lake import Contracts, Days
from jobs.lake import columns as C
from jobs.lake.shards import PARQUET, read_shard
from jobs.privacy.epochs import epoch_of
from jobs.samples.drops import PARTNERS, local_root, write_csv
from jobs.settings import Settings

REPORTER: Final = str(PARTNERS[0]["name"])
"""The sample partner that reports; its package is Parquet and its identifiers last for a quarter."""
HEADER: Final = (C.AD_ID, C.CAMPAIGN, C.SHOWN_AT, "clicked")
CAMPAIGNS: Final = ("spring-sale", "spring-sale", "spring-sale", "new.arrivals", "brand 2")
LATEST_DAYS: Final = 14
SECOND_AD, CLICK, DOUBLE = 4, 9, 25
"""Every so many-th person sees a second ad, clicks, or is in the file twice."""
UNUSABLE: Final = (
    ("sx1-00000000-00000000000000000000000000000000", "spring-sale", "{day}T08:00:00Z", "false"),
    ("", "spring-sale", "{day}T08:00:00Z", "false"),
    ("sx1-00000000-00000000000000000000000000000000", "=spring()", "{day}T08:00:00Z", "false"),
    ("sx1-00000000-00000000000000000000000000000000", "spring-sale", "this morning", "true"),
)
"""In every file."""

Row = tuple[str, str, str, str]


@dataclass(frozen=True)
class PlantedImpressions:
    """What the files hold: impressions, lines that are there twice, and lines nobody can use."""

    impressions: int
    duplicates: int
    unusable: int


def write_impressions(settings: Settings, days: Days) -> PlantedImpressions:
    """Write a file for each of the last days on which ``REPORTER``'s package of the last day may be reported on.

    The same package gives the same bytes. Without a package there are no files.

    Args:
        settings: where the package and the drops lie.
        days: days of the shop.

    Raises:
        UsageError: the sources lie on an object store.
    """
    root = local_root(settings)
    first = max(days.first, days.last - timedelta(LATEST_DAYS - 1), epoch_of(days.last, "quarter").first)
    shown = sorted(_show(_read_identifiers(settings, days.last), Days(first, days.last)))
    files = duplicates = 0
    for day, group in groupby(shown, key=lambda entry: entry[0]):
        rows = [row for _, row in group]
        doubled = rows[::DOUBLE]
        unusable = [tuple(field.format(day=day) for field in row) for row in UNUSABLE]
        write_csv(root / "impressions" / REPORTER / f"{day}.csv", HEADER, [*rows, *doubled, *unusable])
        files, duplicates = files + 1, duplicates + len(doubled)
    return PlantedImpressions(len(shown), duplicates, files * len(UNUSABLE))


def _read_identifiers(settings: Settings, day: date) -> list[str]:
    package = Path(settings.home) / "exports" / REPORTER / str(day)
    schema = Contracts.load()["exports.additions"].arrow_schema()
    files = sorted(package.glob("additions-*.parquet"))
    tables = (table for path in files for table in read_shard(path, schema, PARQUET))
    return sorted(ad_id for table in tables for ad_id in table[C.AD_ID].to_pylist())


def _show(ad_ids: list[str], days: Days) -> Iterator[tuple[date, Row]]:
    calendar = list(days)
    for number, ad_id in enumerate(ad_ids):
        for ad in range(2 if number % SECOND_AD == 0 else 1):
            day = calendar[(number + 3 * ad) % len(calendar)]
            campaign = CAMPAIGNS[(number + 3 * ad) % len(CAMPAIGNS)]
            moment = f"{day}T{6 + 9 * ad:02}:{number % 60:02}:{number // 60 % 60:02}Z"
            yield day, (ad_id, campaign, moment, str(number % CLICK == 0).lower())
