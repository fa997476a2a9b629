"""What lies beside the tables and may hold somebody: scratch of processes that died, and quality pages."""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from jobs.audit.finder import Finder
from jobs.audit.search import search_home
from jobs.erasure.needles import list_identifiers
from jobs.lake import Lake, storage
from jobs.lake.scratch import remove_dead
from jobs.people.person import Person

QUALITY: Final = "quality"
"""Folder of pages that every run of a gate writes again."""
REMOTE_PATIENCE: Final = timedelta(hours=1)


def remove_traces(lake: Lake, people: Collection[Person]) -> dict[str, int]:
    """Remove scratch that nobody uses, and quality pages that show one of the people.

    Returns:
        How many of each went.
    """
    scratch = remove_dead(lake.home, older_than=REMOTE_PATIENCE)
    folder = storage.join(lake.home, QUALITY)
    finder = Finder(list_identifiers(lake, people).build(), with_patterns=False)
    pages = {finding.file for finding in search_home(folder, finder).findings}
    system, path = storage.filesystem(folder)
    for page in pages:
        system.delete_file(storage.join(path, page))
    return {"scratch": len(scratch), "pages": len(pages)}
