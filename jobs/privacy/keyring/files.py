"""A ring in a file of mode 0600; it is replaced as a whole, and what a crash left beside it is removed."""

import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.errors import KeyRingError
from jobs.privacy.keyring.providers import PlainSecrets


class RingFile(PlainSecrets):
    """A ring in a file of this machine, in a folder of mode 0700 that is made with it."""

    is_writable = True
    remedy = "restore the ring from your backup, or set SOPHILUX_KEYRING_FILE"

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = f"The key ring {path}"

    def read(self) -> str | None:
        """The file's text.

        Raises:
            KeyRingError: it cannot be read, or others can read it.
        """
        try:
            with self._path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                content = None if mode & 0o077 else file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            problem = error.strerror or type(error).__name__
        else:
            if content is not None:
                return content.decode(errors="replace")
            problem = ""
        if problem:
            message = f"{self.place} cannot be read ({problem}); check SOPHILUX_KEYRING_FILE and the file's owner."
        else:
            message = f"{self.place} may be read by others (mode {mode:04o}); run 'chmod 600' on it."
        raise KeyRingError(message)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the lock file beside the ring."""
        problem = None
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self._path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            problem = error.strerror or type(error).__name__
        if problem:
            message = f"{self.place} cannot be changed ({problem}); check SOPHILUX_KEYRING_FILE and the folder's owner."
            raise KeyRingError(message)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def write(self, text: str) -> None:
        """Write beside the ring and rename, so that a crash leaves the old ring or the new one."""
        target = self._path.resolve()
        self._remove_drafts(target)
        draft = target.with_suffix(f".{secrets.token_hex(4)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @staticmethod
    def _remove_drafts(target: Path) -> None:
        """Drafts of a run that crashed hold secrets, also those that are destroyed since; the lock is ours."""
        name = re.compile(re.escape(target.stem) + r"\.[0-9a-f]{8}")
        for path in target.parent.iterdir():
            if name.fullmatch(path.name):
                path.unlink(missing_ok=True)
