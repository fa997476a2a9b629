"""What a partner checks before it uses a package: who made it, and that nothing of it was changed, lost or added.

Needs the package, our public key and, for an encrypted package, the partner's identity; no lake and no key ring.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jobs.errors import UsageError
from jobs.exports.checksums import hash_bytes, measure_file
from jobs.exports.manifests import MANIFEST, read_manifest, signed_part
from jobs.exports.row_checks import RowChecks
from jobs.privacy.encryption import SUFFIX as ENCRYPTED
from jobs.privacy.encryption import decrypt_file
from jobs.privacy.signatures import encode_public_key, is_signed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

NO_MANIFEST: Final = (
    "There is no manifest.json (or manifest.json.age): the package is not complete, or this is not the folder of one."
)


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
        manifest: of the package; none where it could not be read.
        manifest_sha256: its digest, which the next package names as the one it follows.
        failures: what is wrong, one sentence each; none means that the package is genuine and whole.
    """

    manifest: dict[str, Any] | None
    manifest_sha256: str | None
    failures: list[str] = field(default_factory=list)


def verify_package(folder: Path, public_key: "Ed25519PublicKey", identity: object = None) -> Verdict:
    """Check a package.

    Args:
        folder: of this machine, with the package's files.
        public_key: of whom the package must be from.
        identity: age identity the package is encrypted to; none for one that is not encrypted.

    Raises:
        UsageError: there is no such folder.
    """
    if not folder.is_dir():
        message = f"There is no folder {folder}."
        raise UsageError(message)
    path = next((path for path in (folder / MANIFEST, folder / f"{MANIFEST}{ENCRYPTED}") if path.exists()), None)
    if path is None:
        return Verdict(None, None, [NO_MANIFEST])
    with tempfile.TemporaryDirectory(prefix="sophilux-verify-") as scratch:
        try:
            content = _open(path, identity, Path(scratch)).read_bytes()
            manifest = read_manifest(content)
        except ValueError as error:
            return Verdict(None, None, [f"{path.name} cannot be trusted: {error}."])
        failures = [*_check_signature(manifest, public_key)]
        rows = None if failures else RowChecks(manifest)
        failures += _check_presence(folder, path, manifest)
        failures += _check_files(folder, manifest, identity, Path(scratch), rows)
    return Verdict(manifest, hash_bytes(content), failures)


def _open(path: Path, identity: object, scratch: Path) -> Path:
    """Where a file's plain content is.

    Raises:
        ValueError: it is encrypted and cannot be opened.
    """
    if not path.is_file():
        message = "it is no file"
        raise ValueError(message)
    if not path.name.endswith(ENCRYPTED):
        return path
    if identity is None:
        message = "it is encrypted, and no --identity was given"
        raise ValueError(message)
    plain = scratch / path.name.removesuffix(ENCRYPTED)
    try:
        decrypt_file(path, plain, identity)
    except ValueError:
        message = "it was changed, or it is not encrypted to your identity"
        raise ValueError(message) from None
    return plain


def _check_signature(manifest: dict[str, Any], public_key: "Ed25519PublicKey") -> Iterator[str]:
    signature = manifest["signature"]
    if signature["public_key"] != encode_public_key(public_key):
        yield (
            "The manifest names another public key than yours: the package is from somebody else, or the key was "
            "replaced. Ask us by another way than the package's."
        )
    elif not is_signed(signed_part(manifest), signature["value"], public_key):
        yield "The manifest's signature does not hold: somebody changed the manifest after it was signed."


def _check_presence(folder: Path, manifest_path: Path, manifest: dict[str, Any]) -> Iterator[str]:
    listed, there = set(manifest["files"]), {path.name for path in folder.iterdir()} - {manifest_path.name}
    yield from (f"{name} is missing." for name in sorted(listed - there))
    yield from (f"{name} is not part of the package." for name in sorted(there - listed))
    is_encrypted = manifest["encryption"] == "age"
    if is_encrypted != manifest_path.name.endswith(ENCRYPTED):
        yield f"The manifest says that its encryption is {manifest['encryption']}, but {manifest_path.name} differs."
    for kind in manifest["counts"]:
        rows = sum(file["rows"] for file in manifest["files"].values() if file["kind"] == kind)
        if rows != manifest["counts"][kind]:
            yield f"The manifest counts {manifest['counts'][kind]:,} {kind}, but its files sum up to {rows:,}."


def _check_files(
    folder: Path, manifest: dict[str, Any], identity: object, scratch: Path, rows: RowChecks | None
) -> Iterator[str]:
    """Bytes first: what was changed, or is described by a stranger, is not given to a parser."""
    for name, said in sorted(manifest["files"].items(), key=lambda item: (item[1]["shard"], item[0])):
        path = folder / name
        if not path.exists():
            continue
        try:
            plain = _open(path, identity, scratch)
        except ValueError as error:
            yield f"{name} cannot be read: {error}."
            continue
        failures = [*_check_bytes(path, plain, said)]
        if not failures and rows is not None:
            failures += rows.check_file(name, plain)
        yield from failures
        if plain != path:
            plain.unlink()


def _check_bytes(path: Path, plain: Path, said: dict[str, Any]) -> Iterator[str]:
    facts = measure_file(path)
    if facts.bytes != said["bytes"]:
        yield f"{path.name} has {facts.bytes:,} bytes, the manifest says {said['bytes']:,}: it is cut off or changed."
    elif facts.xxh3_128 != said["xxh3_128"]:
        yield f"{path.name} was damaged on the way: its xxh3-128 is not the manifest's. Fetch it again."
    content = facts if plain == path else measure_file(plain)
    if content.sha256 != said["sha256"]:
        yield f"{path.name} is not the file that was signed: its SHA-256 is not the manifest's."
