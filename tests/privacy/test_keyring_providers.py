"""Rings in variables: read as they are, changed elsewhere; and which provider a setting picks."""

import json
import subprocess
import sys

import pytest

from jobs.errors import KeyRingError, UsageError
from jobs.privacy.keyring import SIGNING, SUBJECT, KeyRing, open_keyring, partner_purpose
from jobs.settings import load_settings

PARTNER = partner_purpose("adnet-eu", "2026Q4")


@pytest.fixture
def ring(tmp_path):
    """A ring file with two keys."""
    path = tmp_path / "ring.json"
    ring = KeyRing(path)
    ring.key(SUBJECT)
    ring.key(PARTNER)
    return path


@pytest.fixture
def from_environment(ring, tmp_path, monkeypatch):
    monkeypatch.setenv("SOPHILUX_KEYRING_PROVIDER", "environment")
    monkeypatch.setenv("SOPHILUX_KEYRING_JSON", ring.read_text())
    return load_settings(str(tmp_path / "shop"))


@pytest.fixture
def from_airflow(ring, tmp_path, monkeypatch):
    monkeypatch.setenv("SOPHILUX_KEYRING_PROVIDER", "airflow")
    monkeypatch.setenv("AIRFLOW_VAR_SOPHILUX_KEYRING_SECRET", ring.read_text())
    return load_settings(str(tmp_path / "shop"))


@pytest.fixture(params=["from_environment", "from_airflow"])
def settings(request):
    return request.getfixturevalue(request.param)


def test_the_file_beside_the_lake_is_the_default(tmp_path):
    settings = load_settings(str(tmp_path / "shop"))
    open_keyring(settings).key(SUBJECT)
    assert (tmp_path / "shop.keys" / "keyring.json").exists()


def test_a_ring_in_a_variable_gives_the_same_keys(settings, ring):
    kept, file = open_keyring(settings), KeyRing(ring)
    assert not kept.is_writable
    assert kept.entries() == file.entries()
    assert kept.key(SUBJECT) == file.key(SUBJECT)
    assert kept.find(SIGNING) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda ring: ring.key(SIGNING),
        lambda ring: ring.put("shared/x", bytes(32)),
        lambda ring: ring.destroy(PARTNER),
        lambda ring: ring.rotate(SIGNING),
    ],
)
def test_a_ring_in_a_variable_is_not_changed_and_says_how(settings, change):
    with pytest.raises(
        KeyRingError,
        match=r"can only be read: no key is made or destroyed there\. Change a copy of it with .*=file, then",
    ) as error:
        change(open_keyring(settings))
    assert str(error.value).count("\n") == 0


def test_a_key_that_should_be_there_is_asked_for_where_the_ring_is(settings):
    with pytest.raises(
        KeyRingError, match=r"put the whole ring into (SOPHILUX_KEYRING_JSON|Airflow's variable sophilux_k)"
    ):
        open_keyring(settings).key(SIGNING, may_make=False)


def test_an_empty_environment_is_told(from_environment, monkeypatch):
    monkeypatch.delenv("SOPHILUX_KEYRING_JSON")
    with pytest.raises(KeyRingError, match="SOPHILUX_KEYRING_JSON is not set; put the ring's JSON into it"):
        open_keyring(load_settings(from_environment.home)).key(SUBJECT)


@pytest.mark.parametrize("content", ["", "x", "[]", '{"keys": [{}]}', '{"keys": {"subject": "hunter2"}}'])
def test_a_malformed_variable_is_one_line_without_its_content(from_environment, monkeypatch, content):
    monkeypatch.setenv("SOPHILUX_KEYRING_JSON", content)
    with pytest.raises(KeyRingError, match="The key ring in SOPHILUX_KEYRING_JSON is not") as error:
        open_keyring(load_settings(from_environment.home)).key(SUBJECT)
    assert "\n" not in str(error.value)
    assert "hunter2" not in str(error.value)


def test_settings_do_not_print_the_ring(from_environment, ring):
    secret = json.loads(ring.read_text())["keys"][0]["secret"]
    assert secret not in repr(from_environment) + str(from_environment) + from_environment.model_dump_json()


def test_a_missing_airflow_variable_is_told(from_airflow, monkeypatch):
    monkeypatch.setenv("SOPHILUX_KEYRING_AIRFLOW_VARIABLE", "no_such_secret")
    with pytest.raises(
        KeyRingError,
        match=r"Airflow's variable no_such_secret with the key ring cannot be read \(AirflowRuntimeError\); put it into the",
    ):
        open_keyring(load_settings(from_airflow.home)).key(SUBJECT)


def test_an_error_of_a_secrets_backend_is_not_passed_on(from_airflow, monkeypatch):
    def fail(name):
        message = "hunter2"
        raise ConnectionError(message)

    monkeypatch.setattr("airflow.sdk.Variable.get", fail)
    with pytest.raises(KeyRingError, match=r"\(ConnectionError\)") as error:
        open_keyring(from_airflow).key(SUBJECT)
    assert (error.value.__cause__, error.value.__context__) == (None, None)


def test_airflow_masks_the_variable(from_airflow, ring):
    from airflow.sdk._shared.secrets_masker import redact

    open_keyring(from_airflow).key(SUBJECT)
    assert redact(f"log: {ring.read_text()}") == "log: ***"


def test_other_providers_do_without_airflow_and_boto3(tmp_path):
    code = (
        "import sys; from jobs.settings import load_settings; from jobs.privacy.keyring import open_keyring; "
        f"open_keyring(load_settings({str(tmp_path / 'shop')!r})).key('subject'); "
        "sys.exit(' '.join(m for m in ('airflow', 'boto3', 'pyspark') if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_unknown_provider_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("SOPHILUX_KEYRING_PROVIDER", "vault")
    with pytest.raises(
        UsageError, match="SOPHILUX_KEYRING_PROVIDER: Input should be 'file', 'environment', 'airflow' or 'kms'"
    ) as error:
        load_settings(str(tmp_path))
    assert "\n" not in str(error.value)
    settings = load_settings.__globals__["Settings"].model_construct(keyring_provider="vault")
    with pytest.raises(KeyRingError, match="must be one of file, environment, airflow, kms, got 'vault'"):
        open_keyring(settings)
