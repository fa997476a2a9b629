"""Which lake this is: a number drawn when it is first asked for, so that nothing meant for one is done to another."""

import secrets
from typing import Final

from jobs.lake import storage

FILE: Final = ".lake-id"


def lake_id(home: str) -> str:
    """The number of the lake at a home, in hex; a copy of the whole home keeps it."""
    system, path = storage.filesystem(storage.join(home, FILE))
    try:
        with system.open_input_stream(path) as stream:
            found: bytes = stream.read()
    except FileNotFoundError:
        found = secrets.token_hex(16).encode()
        system.create_dir(path.rpartition("/")[0], recursive=True)
        with system.open_output_stream(path) as stream:
            stream.write(found)
    return found.decode()
