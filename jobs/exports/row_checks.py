"""Whether a package's rows are what its manifest says: columns, types, nulls, counts, and nobody told twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobs.exports.manifests import LIST
from jobs.exports.pair.files import check_list
from jobs.lake.shards import read_shard
from jobs.lake.types import arrow_schema

if TYPE_CHECKING:
    import pyarrow as pa

AD_ID: Final = "ad_id"
TOLD_ONCE: Final = ("additions", "removals")


class RowChecks:
    """Checks the files of one package; give it those of one shard after each other.

    An identifier lies in one shard, so that no other shard has to be remembered.

    Args:
        manifest: of the package.
    """

    def __init__(self, manifest: dict[str, Any]) -> None:
        self._manifest = manifest
        self._told: pa.ChunkedArray | None = None
        self._shard = -1

    def check_file(self, name: str, path: Path) -> Iterator[str]:
        """What is wrong with a file's rows, one sentence each."""
        format_, said = self._manifest["format"], self._manifest["files"][name]
        if said["kind"] == LIST:
            yield from check_list(name, path, said["rows"])
            return
        schema = self._manifest["schemas"][said["kind"]]
        expected = arrow_schema((column["name"], column["type"]) for column in schema["columns"])
        required = [column["name"] for column in schema["columns"] if column["required"]]
        try:
            pieces = read_shard(path, expected, format_)
            found = next(pieces).schema
            if [*found.names] != expected.names or [*found.types] != expected.types:
                yield f"{name} has the columns {_show(found)}, the manifest says {_show(expected)}."
                return
            counted = self._count(pieces, required, keeps_ids=said["kind"] in TOLD_ONCE, shard=said["shard"])
        except (OSError, ValueError) as error:
            yield f"{name} cannot be read as {format_} ({type(error).__name__})."
            return
        if counted.rows != said["rows"]:
            yield f"{name} has {counted.rows:,} rows, the manifest says {said['rows']:,}."
        yield from (f"{name} has rows without {column}." for column in counted.without)
        if counted.is_told_twice:
            yield f"{name} tells an identifier that was told already, in it or in another file of its shard."

    def _count(self, pieces: "Iterator[pa.Table]", required: list[str], *, keeps_ids: bool, shard: int) -> "_Counted":
        import pyarrow as pa

        rows, without = 0, set()
        ids: list[pa.Array] = []
        for piece in pieces:
            rows += piece.num_rows
            without |= {name for name in required if piece.column(name).null_count}
            ids += piece.column(AD_ID).chunks if keeps_ids else []
        is_told_twice = self._remember(pa.chunked_array(ids, pa.string()), shard)
        return _Counted(rows, sorted(without), is_told_twice)

    def _remember(self, ids: "pa.ChunkedArray", shard: int) -> bool:
        """Whether an identifier was told before, in the same file or another one of the shard."""
        import pyarrow as pa

        told = self._told if shard == self._shard and self._told is not None else ids.slice(0, 0)
        both = pa.chunked_array([*told.chunks, *ids.chunks], ids.type)
        self._told, self._shard = pa.chunked_array([both.unique()]), shard
        return len(self._told) < len(both)


@dataclass(frozen=True)
class _Counted:
    rows: int
    without: list[str]
    is_told_twice: bool


def _show(schema: "pa.Schema") -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema) or "none"
