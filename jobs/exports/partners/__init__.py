"""Who gets packages: the partners file, read strictly and checked as a whole."""

from jobs.exports.partners.declarations import (
    CLEAN_ROOM,
    OPAQUE,
    PAIR,
    PLATFORM,
    PUBLISHER,
    SHARED_KEY,
    Partner,
    PartnersFile,
    find_partner,
    find_recipients,
    load_eligibility,
    load_partners,
    load_partners_file,
)

__all__ = [
    "CLEAN_ROOM",
    "OPAQUE",
    "PAIR",
    "PLATFORM",
    "PUBLISHER",
    "SHARED_KEY",
    "Partner",
    "PartnersFile",
    "find_partner",
    "find_recipients",
    "load_eligibility",
    "load_partners",
    "load_partners_file",
]
