"""Addresses of erased people in text that no step understands, or that somebody typed into a search or a URL."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pyspark.sql import functions as F

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.privacy.emails import normalise_email
from jobs.privacy.keyring import SUBJECT as SUBJECT_KEY
from jobs.privacy.minimisation.masks import EMAIL
from jobs.privacy.pseudonyms import keyed_digest, subject_keys, with_keys
from jobs.privacy.tombstones import SUBJECT, find_erased

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

ESCAPES: Final = {
    r"%(?:25)*40|\\+u0040|&#0*64;|&commat;": "@",
    r"%(?:25)*2[Bb]|\\+u002[Bb]": "+",
    r"%(?:25)*2[Ee]|\\+u002[Ee]": ".",
    r"%(?:25)*5[Ff]|\\+u005[Ff]": "_",
    r"%(?:25)*2[Dd]|\\+u002[Dd]": "-",
}
"""How the characters that addresses are written with besides letters and digits may be escaped."""


def find_written(lake: Lake, texts: "DataFrame", place: Sequence[str]) -> "DataFrame":
    """Places of texts in which the address of an erased person is written; one row each.

    Args:
        lake: the lake.
        texts: the columns of ``place``, and ``raw``.
        place: columns that name a text.
    """
    found = F.explode(F.regexp_extract_all(_undo_escapes(F.col(C.RAW)), F.lit(f"({EMAIL})"), F.lit(1)))
    written = texts.where(F.col(C.RAW).isNotNull()).select(*place, found.alias("_written"))
    subject = keyed_digest(normalise_email(F.col("_written")), SUBJECT_KEY)
    named = with_keys(written, subject_keys(lake)).select(*place, subject.alias("_subject"))
    erased = find_erased(lake, named.select("_subject"), SUBJECT).where(F.col("_lifted_at").isNull())
    return (
        named.join(F.broadcast(erased), F.col("_subject") == F.col("_erased"), how="left_semi")
        .select(*place)
        .distinct()
    )


def _undo_escapes(text: "Column") -> "Column":
    for pattern, character in ESCAPES.items():
        text = F.regexp_replace(text, pattern, character)
    return text
