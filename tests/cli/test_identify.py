"""One line out for each line in, whatever the lines hold."""

import subprocess
import sys
import threading
from io import BytesIO

import psutil
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from jobs.cli.commands import app
from jobs.cli.identify import INVALID, LONGEST_LINE, TOO_LONG, make_answers, read_lines
from jobs.privacy.emails import PROFILES
from jobs.privacy.identifiers import ad_id_text
from jobs.privacy.key_files import read_key_file

COMMAND = [sys.executable, "-c", "from jobs.cli.commands import main; main()", "identify"]
USER = "tMmiiTI7IaAcPpQPFQ65uMVCWH8av9jw4cwf/F5HVRQ="


def identify(content, *args):
    return CliRunner().invoke(app, ["identify", *map(str, args)], input=content)


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "shared.key"
    path.write_text("0f" * 32)
    path.chmod(0o600)
    return path


def test_help_has_an_example():
    assert "Example: sophilux identify" in " ".join(identify(b"", "--help").stdout.split())


def test_each_line_gives_its_identifier_or_the_reason():
    lines = b"test.test@gmail.com\nUSER@example.com\r\n\n\xff\xfe@x.com\njane\na b@example.com\nuser@example.com"
    done = identify(lines, "--profile", "uid2")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "LkLfFrut8Tc3h/fIvYDiBKSbaMiau/DtaLBPQYszdMw=",
        USER,
        "invalid: empty",
        "invalid: not UTF-8",
        "invalid: no @",
        "invalid: white space inside",
        USER,
    ]
    assert done.stderr == "4 of 7 lines are invalid.\n"


@pytest.mark.parametrize("name", PROFILES)
def test_with_a_key_the_identifier_is_that_of_a_shared_key_partners_packages(key_file, name):
    done = identify("Jane.Doe@Example.com\nJÜRGEN@example.com\n".encode(), "--profile", name, "--key-file", key_file)
    profile, key = PROFILES[name], read_key_file(key_file)
    expected = [ad_id_text(profile.normalise_text(a), key) for a in ("Jane.Doe@Example.com", "JÜRGEN@example.com")]
    assert done.stdout.splitlines() == expected
    assert done.stderr == ""
    assert "0f0f" not in done.output


def test_a_digest_is_passed_on_but_not_keyed(key_file):
    digest = b"A" * 64
    assert identify(digest, "--profile", "meta").stdout == "a" * 64 + "\n"
    done = identify(digest, "--profile", "meta", "--key-file", key_file)
    assert done.stdout == "invalid: a digest already, and a key needs the address\n"


def test_nothing_gives_nothing():
    done = identify(b"", "--profile", "uid2")
    assert (done.exit_code, done.output) == (0, "")


def test_the_mark_that_some_programs_begin_a_file_with_is_no_part_of_the_address():
    assert identify(b"\xef\xbb\xbfuser@example.com\r\n", "--profile", "uid2").stdout == f"{USER}\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--profile", "nobody"), "There is no profile 'nobody'; there are sophilux, uid2, google"),
        (("--profile", "sophilux"), "The profile sophilux has no digest without a key; give the key with --key-file"),
        (("--profile", "uid2", "--key-file", "/nowhere"), "The key file /nowhere cannot be read: No such file"),
        ((), "--profile"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(args, said):
    done = identify(b"user@example.com\n", *args)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_key_that_others_can_read_is_refused(key_file):
    key_file.chmod(0o644)
    done = identify(b"user@example.com\n", "--profile", "sophilux", "--key-file", key_file)
    assert done.exit_code == 1
    assert "may be read by others" in done.stderr
    assert done.stdout == ""


@given(st.lists(st.binary(max_size=60).filter(lambda line: b"\n" not in line), max_size=50), st.booleans())
@hypothesis_settings(max_examples=100, deadline=None)
def test_every_line_has_one_answer_in_order(lines, has_last_end):
    content = b"\n".join([*lines, b""] if has_last_end else lines)
    expected = content.split(b"\n")[:-1] if content.endswith(b"\n") or not content else content.split(b"\n")
    read = list(read_lines(BytesIO(content)))
    assert len(read) == len(expected)
    assert [line.removesuffix(b"\r") for line in expected[1:]] == read[1:]
    answer = make_answers(PROFILES["google"], None)
    answers = [answer(line) for line in read]
    assert all("\n" not in text and text for text in answers)
    assert all(text.startswith(INVALID) or len(text) == 64 for text in answers)


@pytest.mark.parametrize("length", [LONGEST_LINE - 2, LONGEST_LINE - 1, LONGEST_LINE, LONGEST_LINE + 1, 10_000_000])
def test_a_long_line_is_one_line(length):
    read = list(read_lines(BytesIO(b"x" * length + b"\nuser@example.com\n")))
    assert read == [b"x" * length if length < LONGEST_LINE else None, b"user@example.com"]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_input():
    with subprocess.Popen([*COMMAND, "--profile", "uid2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        answered, has_begun = [], threading.Event()
        reader = threading.Thread(target=count_answers, args=(process.stdout, answered, has_begun))
        reader.start()
        process.stdin.write(b"user@example.com\n" * 10_000)
        process.stdin.flush()
        assert has_begun.wait(60)
        before = psutil.Process(process.pid).memory_info().rss
        process.stdin.write(b"x" * 100_000_000 + b"\n" + b"user@example.com\n" * 300_000)
        process.stdin.flush()
        after = psutil.Process(process.pid).memory_info().rss
        process.stdin.close()
        reader.join()
        assert process.wait() == 0
    assert sum(answered) == 310_000 * (len(USER) + 1) + len(f"{TOO_LONG}\n")
    assert after - before < 20_000_000


def count_answers(stdout, answered, has_begun):
    while some := stdout.read1(1 << 20):
        answered.append(len(some))
        has_begun.set()


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_is_no_error():
    with subprocess.Popen(
        [*COMMAND, "--profile", "uid2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        writer = threading.Thread(target=feed, args=(process.stdin,))
        writer.start()
        assert process.stdout.readline() == f"{USER}\n".encode()
        process.stdout.close()
        said = process.stderr.read()
        process.wait()
        writer.join()
    assert said == b""


def feed(stdin):
    try:
        for _ in range(200):
            stdin.write(b"user@example.com\n" * 10_000)
        stdin.close()
    except (BrokenPipeError, ValueError):
        pass


@pytest.mark.slow
def test_a_closed_standard_input_is_wrong_use():
    done = subprocess.run(
        ["sh", "-c", '"$0" "$@" <&-', *COMMAND, "--profile", "uid2"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Standard input is closed" in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_the_order_of_many_lines_is_kept():
    count = 50_000
    lines = "".join(f"user{number}@example.com\n" if number % 3 else "nobody\n" for number in range(count))
    done = subprocess.run([*COMMAND, "--profile", "google"], input=lines.encode(), capture_output=True, check=True)
    google = PROFILES["google"]
    answers = done.stdout.decode().splitlines()
    assert len(answers) == count
    for number in (0, 1, 2, 3, 29_998, count - 1):
        expected = google.digest_text(f"user{number}@example.com") if number % 3 else "invalid: no @"
        assert answers[number] == expected
