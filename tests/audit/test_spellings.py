"""One text, many spellings: each comes down to the same few forms."""

import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.audit.spellings import decode, fold, phrase_form, separate_escapes, to_words, undo_escapes

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf"]), min_size=1, max_size=40)


def percent(text):
    return "".join(f"%{byte:02X}" for byte in text.encode())


def entities(text):
    return "".join(f"&#{ord(letter)};" for letter in text)


@pytest.mark.parametrize(
    "escape",
    [percent, quote, entities, html.escape, lambda t: json.dumps(t)[1:-1], lambda t: percent(percent(t)),
     lambda t: json.dumps(json.dumps(t)), lambda t: entities(percent(t)), lambda t: "".join(f"&#x{ord(c):x};" for c in t)],
)  # fmt: skip
@pytest.mark.parametrize("text", ["ada@example.com", "Zoë Müller", "王小明", "+49 30/23125", "a😀b"])
def test_escapes_are_undone_up_to_three_times(escape, text):
    readings = [escape(text).encode(), *undo_escapes(escape(text).encode())]
    assert any(text in reading.decode("utf-8", "replace") for reading in readings)


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_lines_are_split_into_those_with_and_those_without_escapes(lines):
    plain, escaped = separate_escapes("\n".join(lines).encode())
    if escaped:
        kept = [*plain.split(b"\n"), *escaped.split(b"\n")]
        assert sorted(line for line in kept if line) == sorted(line.encode() for line in lines if line)
    else:
        assert plain == "\n".join(lines).encode()


@given(TEXTS)
def test_a_text_without_percent_backslash_ampersand_and_tag_has_no_escapes(text):
    clean = text.translate({ord(letter): None for letter in "%\\&<"})
    assert separate_escapes(clean.encode()) == (clean.encode(), b"")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("Ada  BIRKENFELD", b"ada birkenfeld"),
        ("ada.birken-feld_x", b"ada birken feld x"),
        ("Ａｄａ１２３", b"ada123"),
        ("ad\u00ada", b"ada"),
        ("“Ada”", b" ada "),
        ("a\0b\nc", b"a\nb\nc"),
        ("Müller", "müller".encode()),
        ("Mu\u0308ller", "müller".encode()),
        ("", b""),
    ],
)
def test_words_are_what_is_left_of_case_width_and_punctuation(written, words):
    assert to_words(fold(written.encode())) == words


@given(TEXTS)
def test_folding_twice_changes_nothing(text):
    once = phrase_form(text)
    assert phrase_form(once.decode()) == once


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-16", "latin-1"])
@pytest.mark.parametrize("offset", [b"", b"\x07"])
def test_bytes_are_read_in_each_encoding(encoding, offset):
    block = offset + "Zoë Müller".encode(encoding)
    assert any("Zoë Müller".encode() in reading for reading in decode(block))


def test_chinese_text_of_older_programs_is_read():
    assert any("王小明".encode() in reading for reading in decode("姓名 王小明".encode("gb18030")))


def test_bytes_that_are_no_text_do_no_harm():
    block = bytes(range(256)) * 3
    assert to_words(fold(block))
    assert list(undo_escapes(block))
