from itertools import pairwise
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from jobs.sources import lines
from jobs.sources.compression import ENDS_TOO_EARLY, BrokenFileError
from jobs.sources.lines import LineReader

MARK = b"\xef\xbb\xbf"


def read(*chunks, drop_blank=True):
    found = []
    for block in LineReader(iter(chunks)):
        block.raw.validate(full=True)
        kept = block.drop_blank() if drop_blank else block
        found += zip(kept.numbers.to_pylist(), kept.raw.to_pylist(), kept.defects.to_pylist(), strict=True)
    return found


def expected_lines(content):
    """The rule in plain words, one line at a time."""
    parts = content.removeprefix(MARK).split(b"\n")
    if parts[-1] == b"":
        parts.pop()
    for number, part in enumerate(parts, 1):
        line = part.removesuffix(b"\r")
        if line.strip(b" \t\r\v\f"):
            try:
                yield number, line.decode(), None
            except UnicodeDecodeError:
                yield number, line.decode("utf-8", "backslashreplace"), "not UTF-8"


PIECES = st.sampled_from([b"\n", b"\r\n", b"\r", b" ", b"\t\n", MARK, b"{}", "é€😀".encode(), b"\xff", b"\xc3", b"\0"])
CONTENTS = st.lists(PIECES | st.binary(max_size=12), max_size=40).map(b"".join)


@given(content=CONTENTS, cuts=st.lists(st.integers(0, 200), max_size=6), block=st.integers(1, 64))
def test_lands_the_lines_that_an_independent_reader_finds(content, cuts, block):
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    chunks = [content[start:end] for start, end in pairwise(edges)]
    with mock.patch.object(lines, "BLOCK_BYTES", block):
        assert read(*chunks) == list(expected_lines(content))


@given(texts=st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8")).filter(str.strip)))
def test_valid_lines_joined_again_are_the_file(texts):
    content = "".join(f"{text}\n" for text in texts if not text.startswith("\ufeff")).encode()
    assert "".join(f"{raw}\n" for _, raw, _ in read(content)).encode() == content


def test_carriage_returns_of_line_breaks_and_the_byte_order_mark_belong_to_no_line():
    assert read(MARK + b"a\r\nb\r", b"\nc\rd\r\r\ne\r") == [
        (1, "a", None),
        (2, "b", None),
        (3, "c\rd\r", None),
        (4, "e", None),
    ]


def test_blank_lines_have_a_number_and_are_left_out():
    assert read(b"\n \t\na\n\r\n b \n") == [(3, "a", None), (5, " b ", None)]
    assert read(b"a\n\nb", drop_blank=False) == [(1, "a", None), (2, "", None), (3, "b", None)]


def test_bytes_that_are_not_utf8_are_escaped_and_said_so():
    assert read("größe".encode("latin-1") + b"\n" + "größe".encode() + b"\n") == [
        (1, r"gr\xf6\xdfe", "not UTF-8"),
        (2, "größe", None),
    ]


def test_a_line_of_50_megabytes_is_kept_whole():
    chunk = b"x" * 1_000_000
    found = read(b"first\n", *[chunk] * 50, b"end\nlast\n")
    assert [(number, len(raw), defect) for number, raw, defect in found] == [
        (1, 5, None),
        (2, 50_000_003, "longer than 1 MiB"),
        (3, 4, None),
    ]


def test_a_line_without_end_is_cut_and_the_next_one_is_whole():
    with mock.patch.object(lines, "LONGEST_LINE", 3 * 1024**2):
        found = read(b"a\n" + b"x" * 1000, *[b"y" * 1024**2] * 9, b"z\nnext\n")
    assert [(number, len(raw)) for number, raw, _ in found] == [(1, 1), (2, 3 * 1024**2), (3, 4)]
    assert found[1][2] == lines.CUT


def test_a_line_may_have_two_defects():
    assert read(b"\xff" * 1_100_000)[0][2] == "longer than 1 MiB; not UTF-8"


def test_a_broken_file_ends_with_a_line_that_says_so_even_where_nothing_of_it_was_left():
    def chunks(tail):
        yield b"a\n" + tail
        raise BrokenFileError(ENDS_TOO_EARLY)

    for tail, text in ((b"", ""), (b"{bro", "{bro")):
        reader = LineReader(chunks(tail))
        rows = [
            row for block in reader for row in zip(*map(list, (block.drop_blank().raw, block.defects)), strict=True)
        ]
        assert [(str(raw), defect.as_py()) for raw, defect in rows] == [("a", None), (text, "file ends too early")]
        assert reader.broken == "file ends too early"
