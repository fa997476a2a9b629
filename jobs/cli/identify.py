"""The command that makes identifiers of addresses, one for each line; for partners and for checking vectors."""

import codecs
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

import typer

from jobs.cli.app import app
from jobs.errors import UsageError

if TYPE_CHECKING:
    from jobs.privacy.emails import Profile
    from jobs.privacy.keyring import Key

NAMES: Final = ("sophilux", "uid2", "google", "google-data-manager", "meta", "pair")
LONGEST_LINE: Final = 64 * 1024
INVALID: Final = "invalid: "
TOO_LONG: Final = f"{INVALID}the line is longer than {LONGEST_LINE:,} bytes"
NOT_UTF8: Final = f"{INVALID}not UTF-8"
A_DIGEST: Final = f"{INVALID}a digest already, and a key needs the address"


@app.command(epilog="Example: sophilux identify --profile uid2 < addresses.txt > identifiers.txt")
def identify(
    profile: Annotated[str, typer.Option(help=f"Rules to normalise by: {', '.join(NAMES)}.")],
    key_file: Annotated[
        Path | None,
        typer.Option(help="A shared key: 32 bytes as 64 hexadecimal digits or Base64, readable by you only."),
    ] = None,
) -> None:
    """Make an identifier of each address on standard input: one line in UTF-8 for one line.

    Without a key it is the platform's own hash, which anybody with a list of addresses can undo. With a key it is the
    one that stands in a shared-key partner's packages. A line that is no address gives 'invalid: ' and the reason; the
    exit code is 0 all the same, and standard error tells how many there were.
    """
    answer = make_answers(_find_profile(profile, has_key=key_file is not None), _read_key(key_file))
    if sys.stdin is None:
        message = "Standard input is closed; give the addresses on it, one a line."
        raise UsageError(message)
    is_watched = sys.stdin.isatty() or sys.stdout.isatty()
    lines = invalid = 0
    sink = sys.stdout.buffer
    for line in read_lines(sys.stdin.buffer):
        answered = TOO_LONG if line is None else answer(line)
        lines += 1
        invalid += answered.startswith(INVALID)
        sink.write(f"{answered}\n".encode())
        if is_watched:
            sink.flush()
    sink.flush()
    if invalid:
        typer.echo(f"{invalid:,} of {lines:,} lines are invalid.", err=True)


def read_lines(source: BinaryIO) -> Iterator[bytes | None]:
    """Lines without what ends them, and without the mark that some programs begin a file with.

    Returns:
        One item per line, none where it is longer than :data:`LONGEST_LINE`; no more than that is ever held.
    """
    mark = codecs.BOM_UTF8
    while line := source.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := source.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            yield None
        else:
            yield line.removeprefix(mark).removesuffix(b"\n").removesuffix(b"\r")
        mark = b""


def make_answers(profile: "Profile", key: "Key | None") -> Callable[[bytes], str]:
    """A function from a line to what is written for it."""
    from jobs.privacy.emails import InvalidAddressError
    from jobs.privacy.identifiers import identify_under

    make = identify_under(key) if key else profile.digest_text
    refuses_digests = key is not None and profile.takes_digests

    def answer(line: bytes) -> str:
        try:
            address = profile.normalise_text(line.decode())
        except UnicodeDecodeError:
            return NOT_UTF8
        except InvalidAddressError as error:
            return f"{INVALID}{error}"
        return A_DIGEST if refuses_digests and "@" not in address else make(address)

    return answer


def _find_profile(name: str, *, has_key: bool) -> "Profile":
    from jobs.privacy.emails import PROFILES

    if name not in PROFILES:
        message = f"There is no profile {name!r}; there are {', '.join(PROFILES)}."
        raise UsageError(message)
    profile = PROFILES[name]
    if profile.encoding is None and not has_key:
        message = f"The profile {name} has no digest without a key; give the key with --key-file."
        raise UsageError(message)
    return profile


def _read_key(path: Path | None) -> "Key | None":
    from jobs.privacy.key_files import read_key_file

    return read_key_file(path) if path else None
