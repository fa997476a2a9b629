"""A ring sealed by AWS KMS, against a server of our own that speaks its protocol."""

import base64
import json
import logging
import sys

import pytest

from jobs.errors import KeyRingError
from jobs.privacy.keyring import SUBJECT, KeyRing, open_keyring, partner_purpose
from jobs.settings import load_settings

PARTNER = partner_purpose("adnet-eu", "2026Q4")
SECRET = bytes(range(100, 132))


@pytest.fixture
def settings(tmp_path, aws, monkeypatch):
    monkeypatch.setenv("SOPHILUX_KEYRING_PROVIDER", "kms")
    monkeypatch.setenv("SOPHILUX_KEYRING_KMS_KEY", aws.create_key()["KeyMetadata"]["KeyId"])
    return load_settings(str(tmp_path / "shop"))


@pytest.fixture
def ring(settings):
    return open_keyring(settings)


def entries_of(settings):
    return json.loads(settings.keyring.read_text())["keys"]


def rewrite(settings, entries):
    settings.keyring.write_text(json.dumps({"version": 1, "keys": entries}))


def test_a_key_comes_back_and_the_file_holds_none(ring, settings):
    ring.put(SUBJECT, SECRET)
    assert open_keyring(settings).key(SUBJECT).secret == SECRET
    text = settings.keyring.read_text()
    assert base64.b64encode(SECRET).decode() not in text
    assert SECRET.hex() not in text
    assert entries_of(settings)[0]["secret"].startswith("aws-kms:")


def test_a_key_made_here_is_destroyed_here(ring):
    key = ring.key(PARTNER)
    assert ring.key(PARTNER) == key
    ring.destroy(PARTNER)
    with pytest.raises(KeyRingError, match="that is final"):
        ring.key(PARTNER)


def test_the_list_of_keys_asks_kms_for_nothing(ring, settings, monkeypatch):
    ring.key(SUBJECT)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    (entry,) = open_keyring(settings).entries()
    assert entry.purpose == SUBJECT


def test_a_sealed_secret_is_bound_to_its_purpose_and_id(ring, settings, aws):
    ring.key(SUBJECT)
    ring.key(PARTNER)
    first, second = entries_of(settings)
    rewrite(settings, [{**first, "secret": second["secret"]}, second])
    with pytest.raises(
        KeyRingError, match=r"did not decrypt the key for subject \(InvalidCiphertextException\); The key r"
    ):
        ring.key(SUBJECT)
    sealed = base64.b64decode(second["secret"].removeprefix("aws-kms:"))
    context = {"application": "sophilux", "purpose": PARTNER, "key_id": second["id"]}
    assert len(aws.decrypt(CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"]) == 32


@pytest.mark.parametrize("change", [{"check": None}, {"not_after": "2030-01-01"}, {"secret": "aws-kms:"}])
def test_a_sealed_ring_that_was_changed_is_refused(ring, settings, change):
    ring.key(SUBJECT)
    rewrite(settings, [{**entries_of(settings)[0], **change}])
    with pytest.raises(KeyRingError, match="for subject is not as it was made; restore it from your backup"):
        ring.key(SUBJECT)


def test_an_open_ring_is_sealed_on_demand_only(settings, ring):
    former = KeyRing(settings.keyring)
    key = former.key(SUBJECT)
    former.key(PARTNER)
    former.destroy(PARTNER)
    with pytest.raises(KeyRingError, match=r"for subject in .* is not sealed; run 'sophilux keys seal' once"):
        ring.key(SUBJECT)
    assert ring.take_over(former) == 1
    assert ring.key(SUBJECT) == key
    assert base64.b64encode(key.secret).decode() not in settings.keyring.read_text()
    assert ring.find(PARTNER) is None
    with pytest.raises(KeyRingError, match="is sealed by AWS KMS; set SOPHILUX_KEYRING_PROVIDER to kms"):
        former.key(SUBJECT)


def test_a_sealed_ring_is_not_sealed_twice(settings, ring):
    ring.key(SUBJECT)
    with pytest.raises(KeyRingError, match="is sealed by AWS KMS"):
        ring.take_over(KeyRing(settings.keyring))
    assert ring.find(SUBJECT)


def test_a_refusal_says_which_right_is_missing(ring, settings, monkeypatch):
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    ring.key(SUBJECT)

    def deny(self, operation, _):
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "hunter2"}}, operation)

    monkeypatch.setattr(BaseClient, "_make_api_call", deny)
    with pytest.raises(
        KeyRingError,
        match=rf"AWS KMS did not decrypt the key for subject \(AccessDeniedException\); allow this role kms:Decrypt on "
        rf"{settings.keyring_kms_key}\.$",
    ) as error:
        open_keyring(settings).key(SUBJECT)
    assert (error.value.__cause__, error.value.__context__) == (None, None)
    with pytest.raises(KeyRingError, match=r"did not encrypt the key for signing .* kms:Encrypt on"):
        open_keyring(settings).key("signing")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"SOPHILUX_KEYRING_KMS_KEY": "no-such-key"}, r"\((NotFoundException|IncorrectKeyException)\)"),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1"},
            r"\(EndpointConnectionError\); check SOPH",
        ),
        (
            {"AWS_DEFAULT_REGION": None, "AWS_REGION": None},
            r"\(NoRegionError\); check SOPHILUX_KEYRING_KMS_KEY .*, AWS_DEFAULT_REGION",
        ),
    ],
)
def test_a_kms_that_cannot_be_used_is_one_line(ring, settings, monkeypatch, change, said):
    ring.key(SUBJECT)
    for name, value in change.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    with pytest.raises(KeyRingError, match=said) as error:
        open_keyring(load_settings(settings.home)).key(SUBJECT)
    assert "\n" not in str(error.value)
    assert (error.value.__cause__, error.value.__context__) == (None, None)


def test_without_a_kms_key_the_setting_is_named(settings, monkeypatch):
    monkeypatch.delenv("SOPHILUX_KEYRING_KMS_KEY")
    with pytest.raises(KeyRingError, match="SOPHILUX_KEYRING_KMS_KEY is not set; name the KMS key"):
        open_keyring(load_settings(settings.home))


def test_without_boto3_its_extra_is_named(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(KeyRingError, match="needs boto3; install sophilux with its extra 'aws'") as error:
        open_keyring(settings).key(SUBJECT)
    assert error.value.__context__ is None


def test_no_log_at_any_level_holds_the_key(settings, caplog):
    """botocore's debug messages quote requests and answers."""
    caplog.set_level(logging.DEBUG)
    for name in ("botocore", "botocore.endpoint", "botocore.parsers", "urllib3"):
        caplog.set_level(logging.DEBUG, logger=name)
    open_keyring(settings).put(SUBJECT, SECRET)
    open_keyring(settings).key(SUBJECT)
    encoded = base64.b64encode(SECRET).decode()
    assert encoded not in caplog.text
    assert repr(SECRET) not in caplog.text
    logging.getLogger("botocore.endpoint").debug("heard again")
    assert "heard again" in caplog.text


def test_botocore_would_log_the_key(settings, aws, caplog):
    """Guards the test above: without our silence the key is in the log."""
    caplog.set_level(logging.DEBUG)
    aws.encrypt(KeyId=settings.keyring_kms_key, Plaintext=SECRET)
    assert base64.b64encode(SECRET).decode() in caplog.text
