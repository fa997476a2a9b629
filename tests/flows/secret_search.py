"""Searches every byte of a folder for secrets, in all forms in which a program may write bytes down.

A secret is also looked for as the two padded keys of HMAC, and by parts of 12 bytes, so that a cut one is found too.
"""

import base64
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path

import ahocorasick
import zstandard
from pyarrow import ipc, parquet

WINDOW = 12
STEP = 10
CHUNK = 8 << 20
OVERLAP = 512
NAMED_ESCAPES = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 39: "'", 92: "\\"}


def derive(secret: bytes) -> dict[str, bytes]:
    """The secret itself, and what HMAC makes of it."""
    return {"key": secret, "ipad": bytes(b ^ 0x36 for b in secret), "opad": bytes(b ^ 0x5C for b in secret)}


def spell(part: bytes) -> dict[str, bytes]:
    """How these bytes look in files, by form."""
    numbers = {"unsigned": list(part), "signed": [b - 256 if b > 127 else b for b in part]}
    spelt = {
        "raw": part,
        "hex": part.hex().encode(),
        "HEX": part.hex().upper().encode(),
        "spaced hex": part.hex(" ").encode(),
        "spaced HEX": part.hex(" ").upper().encode(),
        "0x hex": ", ".join(f"0x{b:02x}" for b in part).encode(),
        "UTF-8": part.decode("latin-1").encode(),
        "UTF-16 hex": part.hex().encode("utf-16-le"),
        "JSON": json.dumps(part.decode("latin-1"))[1:-1].encode(),
        "Python": repr(part)[2:-1].encode(),
        **{f"{sign}{gap!r}": gap.join(map(str, n)).encode() for sign, n in numbers.items() for gap in (",", ", ", " ")},
        **{f"escaped {java}": escape(part, java=java) for java in (False, True)},
        **{f"{name} {skip}": encode(part, skip, name == "url") for name in ("base64", "url") for skip in range(3)},
    }
    doubled = {f"{form}, doubled": text.replace(b"\\", b"\\\\") for form, text in spelt.items() if b"\\" in text}
    return {**spelt, **doubled}


def escape(part: bytes, *, java: bool) -> bytes:
    """As protobuf prints bytes: octal where a byte is no printable ASCII; Java names more of them than Python."""
    named = NAMED_ESCAPES if java else {b: n for b, n in NAMED_ESCAPES.items() if n in "tnr\"'\\"}
    spelt = (f"\\{named[b]}" if b in named else chr(b) if 32 <= b < 127 else f"\\{b:03o}" for b in part)
    return "".join(spelt).encode()


def encode(part: bytes, skip: int, url_safe: bool) -> bytes:
    """What stays of the Base64 of these bytes after ``skip`` others and before more."""
    made = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(bytes(skip) + part).rstrip(b"=")
    is_cut = (skip + len(part)) % 3 != 0
    return made[(0, 2, 3)[skip] : -1 if is_cut else None]


class SecretSearch:
    """A search for some secrets at once, by name."""

    def __init__(self, secrets: dict[str, bytes]) -> None:
        self._automaton = ahocorasick.Automaton()
        for name, secret in secrets.items():
            for kind, derived in derive(secret).items():
                for start in range(0, len(derived) - WINDOW + 1, STEP):
                    for form, text in spell(derived[start : start + WINDOW]).items():
                        self._automaton.add_word(text.decode("latin-1"), f"{name}: {kind} as {form}")
        self._automaton.make_automaton()

    def search_bytes(self, content: bytes) -> set[str]:
        """What is found, as text."""
        return {found for _, found in self._automaton.iter(content.decode("latin-1"))}

    def search_file(self, path: Path) -> set[str]:
        """What is found in a file as it lies there, and in what it unpacks to."""
        found: set[str] = set()
        for stream in open_layers(path):
            kept = b""
            while chunk := stream.read(CHUNK):
                found |= self.search_bytes(kept + chunk)
                kept = chunk[-OVERLAP:]
        return found

    def search_folder(self, folder: Path, *, without: tuple[Path, ...] = ()) -> dict[str, set[str]]:
        """What is found, by file; names of files and folders are searched too, of a file with several its content once."""
        found, searched = {}, set()
        for path in sorted(folder.rglob("*")):
            here = self.search_bytes(str(path).encode())
            if path.is_file() and path not in without and (number := path.stat().st_ino) not in searched:
                searched.add(number)
                here |= self.search_file(path)
            if here:
                found[str(path.relative_to(folder))] = here
        return found


def open_layers(path: Path) -> Iterator[io.BufferedIOBase]:
    """The file, and its content where it is packed: gzip, zstd, Parquet."""
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        yield file
        file.seek(0)
        if start[:2] == b"\x1f\x8b":
            yield gzip.GzipFile(fileobj=file)
        elif start == b"\x28\xb5\x2f\xfd":
            yield zstandard.ZstdDecompressor().stream_reader(file)
        elif start == b"PAR1":
            sink = io.BytesIO()
            table = parquet.read_table(io.BytesIO(file.read()))
            with ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
            sink.seek(0)
            yield sink
