"""The many ways to write one text, brought to the few forms that are searched.

* *folded*: UTF-8, in lower case, compatibility forms resolved (NFKC: full-width digits, ligatures), invisible
  characters dropped.
* *words*: folded, and every run of punctuation and space a single space, so that ``Ada.Birken-feld`` and
  ``ada birken feld`` are the same. NUL and line ends stay, as line ends: they separate values.
* *escapes undone*: percent-encoding, JSON's backslashes and HTML's entities and tags, up to three times over.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

import numpy as np

from jobs.audit.byte_classes import make_class, view_bytes

ROUNDS: Final = 3
ESCAPES: Final = re.compile(rb"%[0-9A-Fa-f]{2}|\\[u/\"\\nrtbf]|&(?:#[0-9xX]|[A-Za-z]{2,31};)|<")
BACKSLASHED: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|([/\"\\nrtbf]))")
CONTROLS: Final = {"n": "\n", "r": "\n", "t": "\t", "b": " ", "f": " "}
INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
BREAK_CHANCE: Final = re.compile(r"<wbr\s*/?>|&shy;|</?(?:b|i|em|span|strong|mark)\b[^<>]{0,200}>", re.IGNORECASE)
TAG: Final = re.compile(r"<[^<>]{1,2000}>")
PUNCTUATION: Final = re.compile(r"[^\w\x00-\x7f]+")
KEPT: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789\n") | frozenset(range(0x80, 0x100))
WORD_FORM: Final = bytes(code if code in KEPT else ord("\n" if code == 0 else " ") for code in range(256))
LOCAL_ENCODINGS: Final = ("latin-1", "gb18030")
WIDE_ENCODINGS: Final = {"utf-16-le": "<u2", "utf-16-be": ">u2"}
IS_CONTROL: Final = make_class(bytes(set(range(32)) - set(b"\t\n\r")))
FEW_CONTROLS: Final = 4
SHARE_OF_CONTROLS: Final = 0.02
SHARE_OF_LETTERS: Final = 0.7
IS_COMMON: Final = np.zeros(2**16, np.bool_)
"""Code units of the scripts that a shop's texts are in: Latin, Greek, Cyrillic, kana, Chinese, Korean, full width."""
for first, last in (
    (0x00, 0x052F),
    (0x2010, 0x2040),
    (0x3000, 0x30FF),
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7AF),
    (0xFE00, 0xFFEF),
):
    IS_COMMON[first : last + 1] = True


def fold(block: bytes) -> bytes:
    """A block in the folded form; of bytes that are no UTF-8 only the ASCII letters are folded."""
    if block.isascii() or not is_utf8(block.replace(b"\0", b"\n")):
        return block.lower()
    return INVISIBLE.sub("", unicodedata.normalize("NFKC", block.decode())).casefold().encode()


def to_words(folded: bytes) -> bytes:
    """A folded block as words with single spaces between."""
    if not folded.isascii() and is_utf8(folded.replace(b"\0", b"\n")):
        folded = PUNCTUATION.sub(" ", folded.decode()).encode()
    words = view_bytes(folded.translate(WORD_FORM))
    is_space = words == ord(" ")
    is_more_space = is_space[1:] & is_space[:-1]
    return np.concatenate((words[:1], words[1:][~is_more_space])).tobytes()


def phrase_form(value: str) -> bytes:
    """One value as it stands in words; empty where it has no letter and no digit."""
    return to_words(fold(value.replace("\n", " ").encode("utf-8", "surrogatepass"))).strip()


def separate_escapes(block: bytes) -> tuple[bytes, bytes]:
    """The lines (or values) without and those with escapes; both as blocks."""
    lines = block.replace(b"\0", b"\n")
    plain: list[bytes] = []
    escaped: list[bytes] = []
    place = 0
    while match := ESCAPES.search(lines, place):
        start = lines.rfind(b"\n", place, match.start()) + 1 or place
        end = lines.find(b"\n", match.end())
        end = len(lines) if end < 0 else end
        plain.append(lines[place:start])
        escaped.append(lines[start:end])
        place = end + 1
    if not escaped:
        return block, b""
    return b"\n".join((*plain, lines[place:])), b"\n".join(escaped)


def undo_escapes(block: bytes) -> Iterator[bytes]:
    """The block with its escapes undone once, twice, three times, as far as that changes it."""
    for _ in range(ROUNDS):
        plainer = _undo_html(_undo_backslashes(unquote_to_bytes(block)))
        if plainer == block:
            return
        yield plainer
        block = plainer


def decode(block: bytes) -> Iterator[bytes]:
    """Bytes as UTF-8, and under each other encoding that they look like text in."""
    yield _recode(block, "utf-8")
    if not is_utf8(block) and _has_few_controls(block):
        yield from (_recode(block, encoding) for encoding in LOCAL_ENCODINGS)
    yield from decode_wide(block)
    yield from decode_wide(block[1:])


def decode_wide(block: bytes) -> Iterator[bytes]:
    """Bytes that look like text of two bytes a character, as UTF-8."""
    return (_recode(block, encoding) for encoding, unit in WIDE_ENCODINGS.items() if _looks_wide(block, unit))


def is_utf8(block: bytes) -> bool:
    """True for text in UTF-8; a NUL makes it none."""
    if b"\0" in block:
        return False
    try:
        block.decode()
    except UnicodeDecodeError:
        return False
    return True


def _has_few_controls(block: bytes) -> bool:
    return int(IS_CONTROL[view_bytes(block)].sum()) <= FEW_CONTROLS + SHARE_OF_CONTROLS * len(block)


def _looks_wide(block: bytes, unit: str) -> bool:
    """True for two-byte text: of arbitrary bytes half the units are common, too."""
    units = np.frombuffer(block[: len(block) // 2 * 2], unit)
    return len(units) > 0 and float(IS_COMMON[units].mean()) >= SHARE_OF_LETTERS


def _recode(block: bytes, encoding: str) -> bytes:
    return block.decode(encoding, "replace").encode("utf-8", "replace")


def _undo_backslashes(block: bytes) -> bytes:
    if b"\\" not in block:
        return block
    text = BACKSLASHED.sub(_undo_backslash, block.decode("utf-8", "replace"))
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _undo_backslash(match: "re.Match[str]") -> str:
    if match[1]:
        return chr(int(match[1], 16))
    return CONTROLS.get(match[2], match[2])


def _undo_html(block: bytes) -> bytes:
    if b"&" not in block and b"<" not in block:
        return block
    text = block.decode("utf-8", "replace")
    return html.unescape(TAG.sub(" ", BREAK_CHANCE.sub("", text))).encode("utf-8", "replace")
