import sys

from jobs.sources.progress import LONG_WORK_BYTES, show_bytes, show_rows


def advance_both():
    with show_bytes("clickstream", LONG_WORK_BYTES) as advance:
        advance(LONG_WORK_BYTES)
    with show_rows("purchases") as advance:
        advance(1)


def test_nothing_is_shown_where_no_terminal_is_attached(capfd):
    advance_both()
    assert "".join(capfd.readouterr()) == ""


def test_a_terminal_sees_what_is_pulled(capfd, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    advance_both()
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "clickstream" in shown.err
    assert "purchases" in shown.err
