"""The live preview: this machine only, and anew when something changes."""

import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

from jobs.report.preview import Preview


@contextmanager
def serving(build, look=lambda: 1):
    said = []
    preview = Preview(build, look, port=0, say=said.append)
    thread = threading.Thread(target=preview.serve, kwargs={"pause": 0.02})
    thread.start()
    try:
        yield preview, said
    finally:
        preview.close()
        thread.join(10)
        assert not thread.is_alive()


def get(preview, path="", **headers):
    request = urllib.request.Request(preview.address + path, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, answer.headers, answer.read()


def test_it_listens_on_this_machine_only_and_sends_the_reports_files():
    with serving(lambda: {"index.html": b"<head></head>x", "data/a.js": b"1"}) as (preview, _):
        assert preview.address.startswith("http://127.0.0.1:")
        status, headers, content = get(preview)
        assert (status, headers["Cache-Control"]) == (200, "no-store")
        assert content == b'<head><script src="/_preview/reload.js?0" defer></script>\n</head>x'
        assert get(preview, "data/a.js")[2] == b"1"
        assert get(preview, "_preview/reload.js")[2].startswith(b"(function")


@pytest.mark.parametrize("path", ["nothing.html", "../report.json", "%2e%2e/etc/passwd", "data/", "/etc/passwd"])
def test_there_is_nothing_but_the_report(path):
    with serving(lambda: {"index.html": b"x"}) as (preview, _), pytest.raises(urllib.error.HTTPError) as caught:
        get(preview, path)
    assert caught.value.code == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example:1", ""])
def test_a_browser_that_asks_under_another_name_gets_nothing(host):
    with serving(lambda: {"index.html": b"x"}) as (preview, _), pytest.raises(urllib.error.HTTPError) as caught:
        get(preview, Host=host)
    assert caught.value.code == 403


def test_a_change_is_built_and_told():
    state = {"seen": 1}
    with serving(lambda: {"index.html": b"edition %d" % state["seen"]}, lambda: state["seen"]) as (preview, said):
        told = []
        waiting = threading.Thread(target=lambda: told.append(get(preview, "_preview/news")[2]))
        waiting.start()
        while not (waiting.is_alive() and threading.active_count()):
            pass
        assert get(preview)[2] == b"edition 1"
        for number in range(2, 200):
            state["seen"] = number
            waiting.join(0.05)
            if told:
                break
        assert told[0].endswith(b"data: changed\n\n")
        assert "rebuilt" in said
        assert get(preview)[2].startswith(b"edition ")
        assert get(preview)[2] != b"edition 1"


def test_a_page_that_was_old_before_it_asked_is_told_at_once():
    state = {"seen": 1}
    with serving(lambda: {"index.html": b"x</head>"}, lambda: state["seen"]) as (preview, _):
        assert b"reload.js?0" in get(preview)[2]
        state["seen"] = 2
        for _ in range(200):
            if b"reload.js?1" in get(preview)[2]:
                break
            time.sleep(0.02)
        assert get(preview, "_preview/news?0")[2] == b"data: changed\n\n"


def test_a_report_that_cannot_be_built_leaves_the_last_one_and_tells_no_value():
    state = {"seen": 1}

    def build():
        if state["seen"] == 2:
            raise ValueError("ann@shop.example")
        return {"index.html": b"edition %d" % state["seen"]}

    said = []
    preview = Preview(build, lambda: state["seen"], port=0, say=said.append)
    state["seen"] = 2
    assert not preview.refresh()
    assert preview.files == {"index.html": b"edition 1"}
    assert said == ["not rebuilt: ValueError"]
    state["seen"] = 3
    assert preview.refresh()
    assert preview.files == {"index.html": b"edition 3"}
    preview._server.server_close()


def test_nothing_is_built_while_nothing_changes():
    built = []
    preview = Preview(lambda: built.append(1) or {"index.html": b"x"}, lambda: 1, port=0, say=lambda _: None)
    assert [preview.refresh() for _ in range(3)] == [False] * 3
    assert built == [1]
    preview._server.server_close()
