"""Rings that are read from somewhere else as a whole, and changed there: an environment variable, Airflow's secrets."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from jobs.errors import KeyRingError
from jobs.privacy.keyring.providers import PlainSecrets
from jobs.settings import Settings

VARIABLE: Final = "SOPHILUX_KEYRING_JSON"
AIRFLOW_VARIABLE: Final = "SOPHILUX_KEYRING_AIRFLOW_VARIABLE"


class ReadOnlyRing(PlainSecrets):
    """A ring whose JSON comes from a function; nothing can be changed here.

    Args:
        name: what holds the ring.
        fetch: gives the JSON.
    """

    is_writable = False

    def __init__(self, name: str, fetch: Callable[[], str]) -> None:
        self.place = f"The key ring in {name}"
        self.remedy = f"put the whole ring into {name}"
        self._name = name
        self._fetch = fetch

    def read(self) -> str | None:
        """The ring's JSON."""
        return self._fetch()

    def locked(self) -> AbstractContextManager[None]:
        """Always refused.

        Raises:
            KeyRingError: always.
        """
        message = (
            f"{self.place} can only be read: no key is made or destroyed there. Change a copy of it with "
            f"SOPHILUX_KEYRING_PROVIDER=file, then put the copy's content into {self._name}."
        )
        raise KeyRingError(message)

    def write(self, text: str) -> None:  # noqa: ARG002
        """Never reached, because the ring cannot be locked."""
        self.locked()


def from_environment(settings: Settings) -> ReadOnlyRing:
    """The ring in ``SOPHILUX_KEYRING_JSON``."""

    def fetch() -> str:
        if settings.keyring_json is None:
            message = f"{VARIABLE} is not set; put the ring's JSON into it, or set SOPHILUX_KEYRING_PROVIDER to file."
            raise KeyRingError(message)
        return settings.keyring_json.get_secret_value()

    return ReadOnlyRing(VARIABLE, fetch)


def from_airflow(settings: Settings) -> ReadOnlyRing:
    """The ring in a variable of Airflow, through whichever secrets backend Airflow is set up with."""
    name = settings.keyring_airflow_variable
    return ReadOnlyRing(f"Airflow's variable {name}", lambda: _fetch_from_airflow(name))


def _fetch_from_airflow(name: str) -> str:
    """The variable's text; a backend's own error may quote what it got, so only its kind is passed on."""
    try:
        from airflow.sdk import Variable
        from airflow.sdk.log import mask_secret
    except ImportError:
        problem = "Airflow is not installed"
    else:
        try:
            text = Variable.get(name)
        except Exception as error:  # noqa: BLE001
            problem = type(error).__name__
        else:
            mask_secret(text)
            return str(text)
    message = (
        f"Airflow's variable {name} with the key ring cannot be read ({problem}); "
        f"put it into the secrets backend, or set {AIRFLOW_VARIABLE}."
    )
    raise KeyRingError(message)
