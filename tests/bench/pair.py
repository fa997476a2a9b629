"""Time commutative encryption against ``openmined-psi``: part of ``make bench``.

Both sides hash an identifier onto a curve and multiply: ours on ristretto255 (libsodium), theirs on P-256 (BoringSSL).
"Encrypt" starts from a match key in hex; "re-encrypt" from what the other party encrypted. Theirs uses one core, and
needs another protobuf than we do, so it runs in an environment of its own that is gone afterwards. Seconds of one core
are CPU seconds, because other work on the machine must not count; those of all cores are by the clock.
``BENCH_PAIR_ROWS`` sets another number of identifiers.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from jobs.privacy.pair.commutative import derive_scalar, encrypt_batches, reencrypt_batches
from jobs.privacy.pair.match_keys import make_seed
from tests.bench.goals import tell_goal

ROWS = int(os.environ.get("BENCH_PAIR_ROWS", "20000"))
REPEATS = 3
OTHER = "openmined-psi==2.0.6"
AT_LEAST = 1.5
"""Times the other on its one core, with all of ours."""
THEIR_SIDE = """
import json, sys, time
import private_set_intersection.python as psi

keys, repeats = [f"{n:064x}" for n in range(int(sys.argv[1]))], int(sys.argv[2])
client, server = psi.client.CreateWithNewKey(True), psi.server.CreateWithNewKey(True)
request = client.CreateRequest(keys)

def best(work):
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return len(keys) / min(seconds)

print(json.dumps([best(lambda: client.CreateRequest(keys)), best(lambda: server.ProcessRequest(request))]))
"""


def find_best(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """Identifiers per second of the fastest repetition."""
    seconds = []
    for _ in range(REPEATS):
        started = clock()
        work()
        seconds.append(clock() - started)
    return ROWS / min(seconds)


def measure_ours(workers: int, clock: Callable[[], float]) -> tuple[float, float]:
    """Encryptions and re-encryptions per second."""
    keys = [f"{number:064x}" for number in range(ROWS)]
    shared, scalar = bytes(32), derive_scalar(bytes(range(32)))

    def encrypt() -> list[pa.Array]:
        seeds = pa.array([make_seed(key, shared) for key in keys], pa.binary())
        return [batch.points for batch in encrypt_batches([seeds], scalar, workers=workers)]

    points = encrypt()
    return find_best(encrypt, clock), find_best(lambda: list(reencrypt_batches(points, scalar, workers=workers)), clock)


def measure_theirs() -> tuple[float, float] | str:
    """The same of ``openmined-psi`` on one core, or why it could not be had."""
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "run", "--quiet", "--no-project", "--isolated", "--python", sys.executable, "--with", OTHER]
    try:
        done = subprocess.run(
            [*command, "python", "-c", THEIR_SIDE, str(ROWS), str(REPEATS)], check=True, capture_output=True, text=True
        )
    except FileNotFoundError:
        return "uv is not installed"
    except subprocess.CalledProcessError as error:
        return f"it could not be installed or run: {(error.stderr.splitlines() or ['no reason given'])[-1][:100]}"
    encrypted, reencrypted = json.loads(done.stdout)
    return encrypted, reencrypted


def print_table(rows: Sequence[tuple[str, tuple[float, float] | str]]) -> None:
    """Who encrypts how much, and the ratios to the last row where it ran."""
    (_, ours), (_, other) = rows[-2:]
    print(f"\n{'identifiers per second':28}{'encrypt':>10}{'re-encrypt':>12}{'ratios':>16}")
    for name, speeds in rows:
        if isinstance(speeds, str):
            print(f"{name:28}skipped, {speeds}")
            continue
        ratios = "" if isinstance(other, str) else "  ".join(f"{a / b:.2f}" for a, b in zip(speeds, other, strict=True))
        print(f"{name:28}{speeds[0]:>10,.0f}{speeds[1]:>12,.0f}{ratios:>16}")
    for number, work in enumerate(("encrypts", "re-encrypts")):
        times = None if isinstance(other, str) or isinstance(ours, str) else ours[number] / other[number]
        tell_goal(f"ours on all cores {work}, times {OTHER} on its one", times, at_least=AT_LEAST)


def main() -> None:
    """Measure everybody, one after the other."""
    cores = len(os.sched_getaffinity(0))
    print(f"Encrypting {ROWS:,} identifiers {REPEATS} times each, load {os.getloadavg()[0]:.1f} before …", flush=True)
    print_table(
        [
            ("ours, one core", measure_ours(1, time.process_time)),
            (f"ours, {cores} cores", measure_ours(cores, time.perf_counter)),
            (f"{OTHER}, one core", measure_theirs()),
        ]
    )


if __name__ == "__main__":
    main()
