"""Phones, names and streets that several people have: they tell nobody, so nothing is looked for by them."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from jobs.lake import Lake
from jobs.lake import columns as C
from jobs.lake.scanning import scan_rows
from jobs.people.values import find_values

if TYPE_CHECKING:
    import pyarrow as pa

ATTRIBUTES: Final = {C.PHONE: "phones", C.FULL_NAME: "names", C.STREET: "streets"}
HOLDERS: Final = (("vault.customers", C.CUSTOMER_ID, (C.PHONE, C.FULL_NAME)), ("vault.addresses", C.SUBJECT_ID, ()))
NOT_A_DIGIT: Final = r"[^0-9]+"
NOT_A_WORD: Final = r"[\s.,;/_'-]+"


def find_shared(lake: Lake, people: Iterable[Mapping[str, set[str]]]) -> frozenset[str]:
    """Of what some people are called everything that somebody else, or another of them, is called too.

    Args:
        lake: the lake.
        people: for each one ``phones``, ``names`` and ``streets`` as written, ``customer_ids`` and ``subject_ids``.
    """
    everybody = list(people)
    shared: set[str] = set()
    for column, attribute in ATTRIBUTES.items():
        owners: dict[str, int | None] = {}
        for number, human in enumerate(everybody):
            for form in _fold_texts(column, human[attribute]).values():
                owners[form] = number if owners.get(form, number) == number else None
        _find_other_owners(lake, column, owners, everybody)
        for human in everybody:
            shared |= {text for text, form in _fold_texts(column, human[attribute]).items() if owners[form] is None}
    return frozenset(shared)


def _find_other_owners(
    lake: Lake, column: str, owners: dict[str, int | None], everybody: list[Mapping[str, set[str]]]
) -> None:
    """Take the owner away from what another account or address has as well."""
    number_of = {
        (key, name): number
        for number, human in enumerate(everybody)
        for key, names in ((C.CUSTOMER_ID, "customer_ids"), (C.SUBJECT_ID, "subject_ids"))
        for name in human[names]
    }
    for table, key, held in HOLDERS:
        if not owners or (held and column not in held):
            continue
        for rows in scan_rows(lake, table, columns=(key, column)):
            folded = _fold(column, rows[column])
            found = find_values(folded, owners)
            pairs = zip(rows[key].filter(found).to_pylist(), folded.filter(found).to_pylist(), strict=True)
            for holder, form in pairs:
                if number_of.get((key, holder)) != owners[form]:
                    owners[form] = None


def _fold_texts(column: str, texts: Iterable[str]) -> dict[str, str]:
    import pyarrow as pa

    listed = sorted(texts)
    return dict(zip(listed, _fold(column, pa.array(listed, pa.string())).to_pylist(), strict=True))


def _fold(column: str, texts: "pa.Array | pa.ChunkedArray") -> "pa.Array | pa.ChunkedArray":
    """What differently written texts have in common: a phone's last nine digits, words in lower case."""
    import pyarrow.compute as pc

    if column == C.PHONE:
        return pc.utf8_slice_codeunits(pc.replace_substring_regex(texts, NOT_A_DIGIT, ""), -9)
    return pc.utf8_lower(pc.replace_substring_regex(texts, NOT_A_WORD, " "))
