"""Addresses normalised and keyed per second and core, in the engine and otherwise: part of ``make bench``.

Each contestant runs in a process of its own, bound to one core, and is charged the processor time that the process
used, so that neighbours do not count; of three repetitions the fastest is kept. The engine also reads the addresses
from Parquet, which Python is given as a list. ``BENCH_ADDRESSES`` sets another number of addresses.
"""

import base64
import hashlib  # noqa: TID251  what UID2's client is made of; the yardstick would be slower without it
import hmac
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet
from pyspark.sql import functions as F

from jobs.engine import Engine
from jobs.privacy.emails import PROFILES
from jobs.privacy.identifiers import ad_id, ad_id_text, identify_under
from jobs.privacy.keyring import Key
from jobs.privacy.pseudonyms import key_relation, with_keys
from jobs.settings import load_settings
from tests.bench.goals import tell_goal

ADDRESSES = int(os.environ.get("BENCH_ADDRESSES", "2000000"))
SLOW_ADDRESSES = max(1, ADDRESSES // 20)
PYTHON_ADDRESSES = max(1, ADDRESSES // 5)
ROUNDS = 3
DOMAINS = ("gmail.com", "GMail.com", "googlemail.com", "Yahoo.co.uk", "qq.com", "163.com", "outlook.com", "example.org")
NAMES = ("jane", "John", "maria.k", "li_wei", "X", "anna.maria")
OPENSSL_BYTES = 96
UID2_PLAIN = "(a) UID2's client rules, plain Python"
KEYED = "engine: sophilux, keyed"
KEYED_AT_LEAST = 5.0
KEY = Key("bench", "00000000", b"key of the bench, 32 bytes long.")


def normalise_as_uid2(email: str) -> str | None:
    """UID2's published rules one character after the other, as its Python client applies them."""
    parts = split_as_uid2(email)
    if parts is None:
        return None
    local, gmail_local, domain = parts
    kept = gmail_local if "".join(domain) == "gmail.com" else local
    return "".join([*kept, "@", *domain]) if kept and domain else None


def split_as_uid2(email: str) -> tuple[list[str], list[str], list[str]] | None:  # noqa: C901  one loop, as there
    """The local part, what Gmail takes of it, and the domain; nothing where there is a second ``@``."""
    local: list[str] = []
    gmail_local: list[str] = []
    domain: list[str] = []
    spaces: list[str] = []
    state, in_extension = "start", False
    for i in range(len(email)):
        given = email[i]
        character = chr(ord(given) + 32) if "A" <= given <= "Z" else given
        if state == "start" and character != " ":
            state = "local"
        if state == "domain":
            if character == "@":
                return None
            if character == " ":
                spaces.append(character)
                continue
            domain += spaces
            spaces = []
            domain.append(character)
        elif character == "@":
            state = "domain"
        elif state == "local":
            local.append(character)
            in_extension = in_extension or character == "+"
            if character != "." and not in_extension:
                gmail_local.append(character)
    return local, gmail_local, domain


def hash_as_uid2(email: str) -> str | None:
    """The hash of an address, as UID2's Python client makes it."""
    normalised = normalise_as_uid2(email)
    return normalised and base64.b64encode(hashlib.sha256(normalised.encode()).digest()).decode()


def write_addresses(path: Path, count: int, *, is_ascii: bool) -> None:
    """Addresses as people type them: capitals, dots, suffixes, spaces around; the same ones every time."""
    rng = random.Random(3)
    names = NAMES if is_ascii else tuple(f"{name}é" for name in NAMES)
    domains = DOMAINS if is_ascii else ("müller.example", "例え.jp", *DOMAINS)
    addresses = []
    for _ in range(count):
        suffix = "+shop" if rng.random() < 0.1 else ""
        space = " " if rng.random() < 0.05 else ""
        addresses.append(f"{space}{rng.choice(names)}.{rng.randrange(10**7)}{suffix}@{rng.choice(domains)}{space}")
    parquet.write_table(pa.table({"address": addresses}), path, row_group_size=200_000)


def charge(work: Callable[[], object]) -> float:
    """Processor seconds of the fastest of some repetitions."""
    used = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        used.append(time.process_time() - started)
    return min(used)


def run_in_python(make: Callable[[str], object], path: Path) -> float:
    """Processor seconds per address of a plain function."""
    addresses = parquet.read_table(path)["address"].to_pylist()[:PYTHON_ADDRESSES]
    return charge(lambda: [make(address) for address in addresses]) / len(addresses)


def run_in_engine(make: Callable[[object], object], path: Path) -> float:
    """Processor seconds per address of a column expression on the embedded engine."""
    count = parquet.read_metadata(path).num_rows
    with Engine(load_settings(str(path.parent / "shop"))) as engine:
        rows = with_keys(engine.session.read.parquet(str(path)), key_relation(engine.session, ad=KEY))
        made = rows.select(F.bit_xor(F.xxhash64(make(F.col("address")))))
        return charge(made.collect) / count


def key_in_python(address: object) -> object:
    """Normalised and keyed by a Python UDF that takes a whole batch at a time, as a column expression."""
    normalise, secret = PROFILES["sophilux"].normalise_text, KEY.secret

    def identify(addresses: pa.Array) -> pa.Array:
        digests = (hmac.digest(secret, normalise(address).encode(), "sha256") for address in addresses.to_pylist())
        return pa.array([digest.hex()[:32] for digest in digests], pa.string())

    return F.arrow_udf(identify, "string")(address)


def run_text(path: Path) -> float:
    """Processor seconds per address of what the command ``sophilux identify`` does with a key."""
    normalise, make = PROFILES["sophilux"].normalise_text, identify_under(KEY)
    assert make("a@example.com") == ad_id_text("a@example.com", KEY)
    return run_in_python(lambda address: make(normalise(address)), path)


def run_openssl(_: Path) -> float:
    """Seconds per HMAC at the raw speed of OpenSSL: two digests of a block of key and an address or a digest."""
    command = ["openssl", "speed", "-mr", "-seconds", "3", "-bytes", str(OPENSSL_BYTES), "sha256"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    speed = re.search(r"^\+F:\d+:sha256:([\d.]+)", done.stdout, re.MULTILINE)
    assert speed is not None, "openssl speed printed something else"
    return 2 * OPENSSL_BYTES / float(speed.group(1))


def keyed(profile: str) -> Callable[[object], object]:
    """Normalised under a profile and keyed, as a column expression."""
    return lambda address: ad_id(PROFILES[profile].normalise(address), "ad", KEY)


def hashed(profile: str) -> Callable[[object], object]:
    """Normalised under a profile and hashed as its platform demands, as a column expression."""
    return lambda address: PROFILES[profile].digest(PROFILES[profile].normalise(address))


CONTESTANTS: dict[str, Callable[[Path], float]] = {
    UID2_PLAIN: lambda path: run_in_python(hash_as_uid2, path),
    KEYED: lambda path: run_in_engine(keyed("sophilux"), path),
    "engine: uid2, keyed": lambda path: run_in_engine(keyed("uid2"), path),
    "engine: uid2, its hash": lambda path: run_in_engine(hashed("uid2"), path),
    "engine: sophilux, keyed, not ASCII": lambda path: run_in_engine(keyed("sophilux"), path.with_name("slow.parquet")),
    "text: sophilux, keyed": run_text,
    "(b) hmac in a Python UDF": lambda path: run_in_engine(key_in_python, path),
    "(c) two SHA-256 of openssl speed": run_openssl,
}


def main() -> None:
    """Run all contestants, or the one named by the arguments."""
    if len(sys.argv) > 1:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        print(CONTESTANTS[sys.argv[1]](Path(sys.argv[2])))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "addresses.parquet"
        write_addresses(path, ADDRESSES, is_ascii=True)
        write_addresses(path.with_name("slow.parquet"), SLOW_ADDRESSES, is_ascii=False)
        print(f"\n{'of ' + format(ADDRESSES, ',') + ' addresses':38}{'a second and core':>18}{'times (a)':>11}")
        took: dict[str, float] = {}
        for name in CONTESTANTS:
            command = [sys.executable, "-m", "tests.bench.identifiers", name, str(path)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            took[name] = float(done.stdout.splitlines()[-1])
            print(f"{name:38}{1 / took[name]:>18,.0f}{took[UID2_PLAIN] / took[name]:>11.2f}", flush=True)
    tell_goal(f"{KEYED}, times (a)", took[UID2_PLAIN] / took[KEYED], at_least=KEYED_AT_LEAST)


if __name__ == "__main__":
    main()
