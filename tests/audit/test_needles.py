"""Millions of values are found where they stand as words, and nowhere else."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.audit.needles import Kind, Phrases, Values
from jobs.audit.spellings import fold, phrase_form, to_words

NAMES = ["Ann Lee", "Ada Birkenfeld", "Zoë Müller", "Łukasz Żuk", "王小明", "김민수", "Иван Петров", "Jean-Luc d'Arc"]
PHRASES = Phrases([(Kind.NAME, phrase_form(name)) for name in NAMES])
LETTERS = st.text("abcxyz0189", min_size=1, max_size=4)


def count(text: str, phrases: Phrases = PHRASES) -> int:
    return phrases.count(to_words(fold(text.encode()))).total()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text", ["{}", "for {}!", "a\n{}\nb", "[{}]", "x,{},y", "“{}”", "{}\0", "name={}&x=1", "…{}…", "{} {}"]
)
def test_a_name_is_found_whatever_stands_around_it(name, text):
    assert count(text.format(name, name)) == text.count("{}")


@pytest.mark.parametrize(
    "text",
    ["ADA BIRKENFELD", "ada.birkenfeld", "Ada_Birkenfeld", "Ada+Birkenfeld", "Ada  -  Birkenfeld", "ada/birkenfeld"],
)
def test_case_and_punctuation_do_not_hide_a_name(text):
    assert count(text) == 1


@pytest.mark.parametrize(
    "text",
    ["Annual leech", "Joann Lee", "Ann Leeds", "Ann", "Lee", "AnnLee", "Ann\nLee", "Ann\0Lee", "xAda Birkenfeldx"],
)
def test_part_of_a_word_or_of_two_values_is_no_name(text):
    assert count(text) == 0


def test_a_name_stands_within_a_sentence_without_spaces():
    assert count("收件人王小明的地址") == 1


@given(st.sampled_from(NAMES[:2]), LETTERS, st.sampled_from(["", "-", " "]), LETTERS)
def test_a_letter_beside_a_name_makes_it_another_word(name, before, between, behind):
    assert count(f"{before}{between}{name}{between}{behind}") == (0 if between == "" else 1)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=30), max_size=6), st.data())
def test_what_is_not_there_is_not_found_and_what_is_there_is(texts, data):
    free = [text for text in texts if count(text) == 0]
    name = data.draw(st.sampled_from(NAMES))
    assert count("\n".join(free)) == 0
    assert count("\n".join([*free, name])) == 1


def test_phrases_with_one_beginning_are_told_apart():
    streets = [f"Invented Street {number}" for number in range(1, 400)]
    phrases = Phrases((Kind.STREET, phrase_form(street)) for street in streets)
    assert phrases.count(b"invented street 7") == Counter({Kind.STREET: 1})
    assert phrases.count(b"invented street 71 and invented street 400") == Counter({Kind.STREET: 1})
    assert phrases.count(b"invented street") == Counter()


def test_a_phrase_too_short_is_refused_because_it_would_stand_everywhere():
    with pytest.raises(ValueError, match="7 bytes or more"):
        Phrases([(Kind.NAME, b"al bo")])


def test_of_a_very_long_phrase_the_first_words_are_searched():
    long = b" ".join(b"word%03d" % number for number in range(100))
    phrases = Phrases([(Kind.STREET, long)])
    assert phrases.count(b"x " + long + b" y") == Counter({Kind.STREET: 1})
    assert phrases.count(long[:200]) == Counter()


def test_a_canary_is_found_also_within_words():
    phrases = Phrases([(Kind.CANARY, phrase_form("CANARY-7f3a9c"))], whole_words=False)
    assert count("xxcanary-7F3A9Cxx", phrases) == 1
    assert count("canary-7f3a9d", phrases) == 0


def test_no_phrases_find_nothing():
    assert Phrases([]).count(b"anything at all") == Counter()
    assert not Values([]).find(["anything"]).any()


def test_values_are_found_as_a_whole():
    values = Values(["ada@example.com", "493023125001"])
    assert values.find(["ada@example.com", "ada@example.org", "493023125001", ""]).tolist() == [
        True,
        False,
        True,
        False,
    ]
