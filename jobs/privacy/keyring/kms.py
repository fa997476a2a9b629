"""A ring file whose secrets AWS KMS has sealed: reading a key takes the file and the right to use the KMS key.

Every secret is encrypted by itself, and bound to its purpose and id by KMS's encryption context, so that no sealed
secret can be put into another's place. ``boto3`` is imported here only; region, credentials and end point are its own
settings (``AWS_*``).
"""

import base64
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from jobs.errors import KeyRingError
from jobs.privacy.keyring.files import RingFile
from jobs.privacy.keyring.keys import KeyEntry
from jobs.privacy.keyring.providers import KMS_PREFIX, decode_base64

DENIED: Final = frozenset({"AccessDeniedException", "AccessDenied", "UnrecognizedClientException"})
CHANGED: Final = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})
_silence: Final = threading.Lock()


class KmsSealedFile(RingFile):
    """A ring file with sealed secrets.

    Args:
        path: the ring's file.
        key: id, ARN or alias of a symmetric KMS key.
    """

    def __init__(self, path: Path, key: str | None) -> None:
        super().__init__(path)
        if not key:
            message = "SOPHILUX_KEYRING_KMS_KEY is not set; name the KMS key that seals the ring."
            raise KeyRingError(message)
        self._key = key
        self._client: Any = None

    def seal(self, entry: KeyEntry, secret: bytes) -> str:
        """The secret encrypted by KMS."""
        answer = self._ask(
            "Encrypt", entry, lambda kms, common: kms.encrypt(Plaintext=secret, **common)["CiphertextBlob"]
        )
        return KMS_PREFIX + base64.b64encode(answer).decode()

    def unseal(self, entry: KeyEntry, sealed: str) -> bytes:
        """The secret decrypted by KMS.

        Raises:
            KeyRingError: KMS refuses, or the secret is not sealed, or was sealed for another purpose or key.
        """
        if not sealed.startswith(KMS_PREFIX):
            message = f"The key for {entry.purpose} in {self.place} is not sealed; run 'sophilux keys seal' once."
            raise KeyRingError(message)
        blob = decode_base64(sealed.removeprefix(KMS_PREFIX))
        if not blob:
            return b""
        return self._ask("Decrypt", entry, lambda kms, common: kms.decrypt(CiphertextBlob=blob, **common)["Plaintext"])

    def _ask(self, what: str, entry: KeyEntry, call: Callable[[Any, dict[str, Any]], bytes]) -> bytes:
        context = {"application": "sophilux", "purpose": entry.purpose, "key_id": entry.key_id}
        try:
            with no_debug_logs():
                return call(self._connect(), {"KeyId": self._key, "EncryptionContext": context})
        except KeyRingError:
            raise
        except Exception as error:  # noqa: BLE001
            code = getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
        message = f"AWS KMS did not {what.lower()} the key for {entry.purpose} ({code}); {self._advise(code, what)}."
        raise KeyRingError(message)

    def _connect(self) -> Any:  # noqa: ANN401
        if self._client is None:
            try:
                import boto3
            except ImportError:
                boto3 = None
            if boto3 is None:
                message = "A key ring sealed by AWS KMS needs boto3; install sophilux with its extra 'aws'."
                raise KeyRingError(message)
            self._client = boto3.client("kms")
        return self._client

    def _advise(self, code: str, what: str) -> str:
        if code in DENIED:
            return f"allow this role kms:{what} on {self._key}"
        if code in CHANGED:
            return f"{self.place} was changed or sealed under another key; restore it from your backup"
        return f"check SOPHILUX_KEYRING_KMS_KEY ({self._key}), AWS_DEFAULT_REGION and AWS's credentials"


@contextmanager
def no_debug_logs() -> Iterator[None]:
    """Keep debug messages of the whole process off: botocore's hold what is sent and received, so the secret too."""
    with _silence:
        before = logging.root.manager.disable
        logging.disable(max(before, logging.DEBUG))
        try:
            yield
        finally:
            logging.disable(before)
