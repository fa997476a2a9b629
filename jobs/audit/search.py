"""Searches the files of a home, small parts together, and says where what was found stands, without showing it."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from jobs.audit.contents import read_parts
from jobs.audit.finder import Finder
from jobs.audit.homes import Entry, list_entries, open_file
from jobs.audit.needles import Kind
from jobs.audit.parts import BLOCK_BYTES, Form, Part

NAME: Final = "name"
RAW: Final = "bytes as they lie there"
TEXTS: Final = (Form.TEXT, Form.VALUES, Form.NUMBERS)
Place = tuple[str, str, Kind]
"""A file, a part of it, and the kind found there."""


@dataclass(frozen=True)
class Finding:
    """What was found in one part of a file.

    Attributes:
        file: path below the home; parts of it that leak themselves are masked.
        part: column and row group, line, metadata, or name.
        kind: of identifier.
        times: how often it stands there; in a column, how many distinct values of a row group hold it.
        version: for a file of a table, whether its current version has it; else empty.
    """

    file: str
    part: str
    kind: Kind
    times: int
    version: str = ""


@dataclass
class SearchReport:
    """What a search read and found.

    Attributes:
        findings: in the order of the files.
        files: files that were read.
        bytes: their size.
        content_bytes: what they hold, unpacked.
        sealed: files encrypted to a partner, whose content cannot be read.
        restricted_files: files in zones for personal data that were not read.
    """

    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    content_bytes: int = 0
    sealed: int = 0
    restricted_files: int = 0


def search_home(
    home: str,
    finder: Finder,
    *,
    restricted: bool = False,
    is_accepted: Callable[[str, Kind], bool] = lambda _path, _kind: False,
    progress: Callable[[str], None] = lambda _: None,
) -> SearchReport:
    """Search every file below a home, and the names of files and folders.

    Args:
        home: the lake's home.
        finder: what to look for.
        restricted: read the zones for personal data as well.
        is_accepted: tells for a path which kinds are no finding there.
        progress: is told what is being read.
    """
    report = SearchReport()
    search = _Search(finder)
    entries = list_entries(home)
    for number, entry in enumerate(entries, start=1):
        if entry.is_restricted and not restricted:
            report.restricted_files += not entry.is_folder
            continue
        progress(f"reading {number:,} of {len(entries):,}")
        search.add(entry.path, Part(NAME, entry.name.encode("utf-8", "replace"), Form.TEXT))
        if not entry.is_folder:
            _read_file(home, entry, search, report)
    search.finish()
    report.findings = [
        Finding(_mask_path(path, search.found), part, kind, times)
        for (path, part, kind), times in sorted(search.found.items(), key=lambda item: item[0][0])
        if not is_accepted(path, kind) and not (part == RAW and _is_explained(path, kind, search.found))
    ]
    return report


def mask(text: str) -> str:
    """A text that must not be shown: its first character and its length."""
    return f"{text[:1]}… ({len(text)} characters)"


def _is_explained(path: str, kind: Kind, found: Mapping[Place, int]) -> bool:
    """True where what stands in the bytes of a packed file was also found in what they hold."""
    return any(place == path and other == kind and part != RAW for place, part, other in found)


def _read_file(home: str, entry: Entry, search: "_Search", report: SearchReport) -> None:
    try:
        file = open_file(home, entry.path)
    except FileNotFoundError:
        return
    report.files += 1
    report.bytes += entry.size
    with file:
        for part in read_parts(file):
            report.sealed += part.form is Form.SEALED
            report.content_bytes += 0 if part.form is Form.NOISE else len(part.content)
            search.add(entry.path, part)


def _mask_path(path: str, found: Mapping[Place, int]) -> str:
    """The path with names that leak masked."""
    leaking = {place for place, part, _ in found if part == NAME}
    parts = path.split("/")
    paths = ("/".join(parts[: count + 1]) for count in range(len(parts)))
    return "/".join(mask(name) if place in leaking else name for name, place in zip(parts, paths, strict=True))


class _Search:
    """Counts what parts hold.

    Parts wait until there is a block of them, which is searched at once; only where something is in it, it is
    searched again by halves.
    """

    def __init__(self, finder: Finder) -> None:
        self.found: Counter[Place] = Counter()
        self._finder = finder
        self._waiting: dict[Form, list[tuple[str, Part]]] = {form: [] for form in Form}
        self._sizes: Counter[Form] = Counter()

    def add(self, path: str, part: Part) -> None:
        """Take a part of a file."""
        if part.form is Form.BROKEN:
            self.found[path, _name_part(part), Kind.UNREADABLE] += 1
        elif part.form is not Form.SEALED:
            form = Form.TEXT if part.form in TEXTS else part.form
            self._waiting[form].append((path, part))
            self._sizes[form] += len(part.content)
            if self._sizes[form] >= BLOCK_BYTES:
                self._flush(form)

    def finish(self) -> None:
        """Search what still waits."""
        for form in self._waiting:
            self._flush(form)

    def _flush(self, form: Form) -> None:
        waiting, self._waiting[form], self._sizes[form] = self._waiting[form], [], 0
        self._search(waiting, form)

    def _search(self, waiting: list[tuple[str, Part]], form: Form) -> None:
        if len(waiting) == 1:
            self._count(*waiting[0])
        elif waiting and self._finder.count(Part("", b"\0".join(part.content for _, part in waiting), form)):
            middle = len(waiting) // 2
            self._search(waiting[:middle], form)
            self._search(waiting[middle:], form)

    def _count(self, path: str, part: Part) -> None:
        for kind, times in self._finder.count(part).items():
            self.found[path, self._place(part, kind), kind] += times

    def _place(self, part: Part, kind: Kind) -> str:
        """Where a part stands, without anything that leaks; in text, the first line that holds the kind."""
        name = _name_part(part)
        if self._finder.count(Part("", name.encode("utf-8", "replace"), Form.TEXT)):
            name = mask(name)
        if part.form is not Form.TEXT or not part.line:
            return name
        line = f"line {part.line + self._find_line(part.content, kind):,}"
        return f"{name}: {line}" if part.name else line

    def _find_line(self, block: bytes, kind: Kind) -> int:
        """The first line of a block that holds a kind, counted from 0, by halves."""
        lines = block.split(b"\n")
        first, end = 0, len(lines)
        while end - first > 1:
            middle = (first + end) // 2
            half = Part("", b"\n".join(lines[first:middle]), Form.TEXT)
            first, end = (first, middle) if self._finder.count(half)[kind] else (middle, end)
        return first


def _name_part(part: Part) -> str:
    if part.form is Form.NOISE:
        return RAW
    return part.name.removesuffix(": ") or "content"
