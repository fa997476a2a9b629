"""Which provider keeps the ring is a setting."""

from collections.abc import Callable, Mapping
from typing import Final

from jobs.errors import KeyRingError
from jobs.privacy.keyring.files import RingFile
from jobs.privacy.keyring.kms import KmsSealedFile
from jobs.privacy.keyring.providers import Provider
from jobs.privacy.keyring.ring import KeyRing
from jobs.privacy.keyring.variables import from_airflow, from_environment
from jobs.settings import Settings

PROVIDERS: Final[Mapping[str, Callable[[Settings], Provider]]] = {
    "file": lambda settings: RingFile(settings.keyring),
    "environment": from_environment,
    "airflow": from_airflow,
    "kms": lambda settings: KmsSealedFile(settings.keyring, settings.keyring_kms_key),
}


def open_keyring(settings: Settings) -> KeyRing:
    """The ring of an installation; nothing is read before a key is asked for.

    Raises:
        KeyRingError: there is no such provider, or it lacks a setting.
    """
    provider = PROVIDERS.get(settings.keyring_provider)
    if provider is None:
        known = ", ".join(PROVIDERS)
        message = f"SOPHILUX_KEYRING_PROVIDER must be one of {known}, got {settings.keyring_provider!r}."
        raise KeyRingError(message)
    return KeyRing(provider(settings))
