import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.sources.csv_records import Line, read_records

HEADER = "tracking_no,event,event_time,street"
REQUIRED = ("tracking_no", "event", "event_time")


def records(*texts, header=HEADER):
    lines = (Line(number, text, None) for number, text in enumerate([header, *texts], 1))
    return list(read_records(lines, REQUIRED))


def understood(*texts, header=HEADER):
    return [(r.number, json.loads(r.as_json) if r.as_json else None, r.defect) for r in records(*texts, header=header)]


def test_fields_are_named_by_the_header_and_empty_ones_left_out():
    assert understood("T1,delivered,2024-01-31,") == [
        (2, {"tracking_no": "T1", "event": "delivered", "event_time": "2024-01-31"}, None)
    ]


@pytest.mark.parametrize("delimiter", ";\t|")
def test_the_header_says_which_delimiter_is_used(delimiter):
    header = HEADER.replace(",", delimiter)
    assert understood(f"T1{delimiter}a,b{delimiter}t{delimiter}", header=header)[0][1]["event"] == "a,b"


def test_quoted_fields_hold_delimiters_quotes_and_line_breaks():
    found = records('T1,failed,t,"1, ""Old"" Road', "", '3rd floor"', "T2,delivered,t,x")
    assert json.loads(found[0].as_json)["street"] == '1, "Old" Road\n\n3rd floor'
    assert [(record.number, record.defect) for record in found] == [(2, None), (5, None)]
    assert found[0].raw == 'T1,failed,t,"1, ""Old"" Road\n\n3rd floor"'


def test_a_ragged_row_says_how_many_fields_it_has():
    assert understood("T1,delivered", "T2,delivered,t,x", "a,b,c,d,e") == [
        (2, None, "2 fields where the header has 4"),
        (3, {"tracking_no": "T2", "event": "delivered", "event_time": "t", "street": "x"}, None),
        (4, None, "5 fields where the header has 4"),
    ]


def test_a_quote_that_is_never_closed_spoils_its_own_line_only():
    found = understood('T1,failed,t,"open', "T2,delivered,t,x", 'T3,failed,t,"open', 'T4,delivered,t,"y"', "T5,a,t,z")
    assert [(number, defect) for number, _, defect in found] == [
        (2, "a quote is never closed"),
        (3, None),
        (4, "a quote is never closed"),
        (5, None),
        (6, None),
    ]


def test_text_after_a_closing_quote_cannot_be_split():
    assert understood('"T1"x,delivered,t,')[0][2] == "cannot be split into fields"


@pytest.mark.parametrize(
    ("header", "defect"),
    [
        ("T0,delivered,t,x", "header lacks tracking_no, event, event_time"),
        ("tracking_no,event", "header lacks event_time"),
        ("tracking_no,event,event_time,event", "header names a field twice"),
    ],
)
def test_without_a_usable_header_every_line_is_kept_with_the_reason(header, defect):
    assert understood("T1,delivered,t,x", "", header=header) == [(1, None, defect), (2, None, defect)]


def test_a_line_with_a_defect_of_its_own_keeps_it():
    lines = [Line(1, HEADER, None), Line(2, 'T1,failed,t,"open', None), Line(3, '"', "not UTF-8")]
    assert [record.defect for record in read_records(iter(lines), REQUIRED)] == ["a quote is never closed", "not UTF-8"]


FIELDS = st.text(st.characters(exclude_characters="\r\0", codec="utf-8"), max_size=8)


@given(rows=st.lists(st.tuples(*[FIELDS] * 4), max_size=8))
def test_what_a_csv_writer_wrote_is_read_back(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([HEADER.split(","), *rows])
    lines = (Line(number, line, None) for number, line in enumerate(text.getvalue().removesuffix("\n").split("\n"), 1))
    names = HEADER.split(",")
    expected = [{name: value for name, value in zip(names, row, strict=True) if value} for row in rows]
    assert [json.loads(record.as_json) for record in read_records(lines, REQUIRED)] == expected
