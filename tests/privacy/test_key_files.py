"""A key file holds one key, is its owner's alone, and is never quoted."""

import base64

import pytest

from jobs.errors import KeyRingError, UsageError
from jobs.privacy.identifiers import as_shared
from jobs.privacy.key_files import read_key_file
from jobs.privacy.keyring import Key

SECRET = bytes(range(224, 256))


@pytest.fixture
def write(tmp_path):
    def write_file(content, mode=0o600):
        path = tmp_path / "shared.key"
        path.write_bytes(content)
        path.chmod(mode)
        return path

    return write_file


@pytest.mark.parametrize(
    "content",
    [
        SECRET.hex().encode(),
        SECRET.hex().upper().encode() + b"\n",
        b"  " + base64.b64encode(SECRET) + b"\r\n",
    ],
)
def test_a_key_is_read_from_hexadecimal_digits_and_from_base64(write, content):
    key = read_key_file(write(content))
    assert key.secret == SECRET
    assert key.key_id == as_shared(Key("", "", SECRET)).key_id


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o660])
def test_a_file_that_others_can_open_is_refused(write, mode):
    with pytest.raises(KeyRingError, match=rf"may be read by others \(mode {mode:04o}\); run 'chmod 600'"):
        read_key_file(write(SECRET.hex().encode(), mode))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"correct horse battery staple",
        SECRET,
        SECRET.hex().encode()[:-1],
        SECRET.hex().encode() * 2,
        base64.b64encode(SECRET[:-1]),
        base64.b64encode(SECRET)[:-1],
        b"x" * 10_000_000,
        b"\xff\xfe" + SECRET.hex().encode(),
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(write, content):
    with pytest.raises(UsageError) as caught:
        read_key_file(write(content))
    message = "A key is 32 bytes, written as 64 hex digits or in Base64; got something else."
    assert str(caught.value) == message


def test_a_missing_file_or_a_folder_is_wrong_use(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        read_key_file(tmp_path / "none")
    with pytest.raises(UsageError, match="Is a directory"):
        read_key_file(tmp_path)
