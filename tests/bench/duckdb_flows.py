"""The same work as the measured steps, written by hand for DuckDB: what a specialist would do on one machine.

Each function reads and writes Parquet (zstd) below a folder, like the step of the same name: the same lines in, the
same columns out, the same rules. It is a yardstick and not a second implementation: reasons are not told apart,
and there is no log, contract, gate or commit.
"""

from pathlib import Path

import duckdb

from jobs.conform import clicks, visits
from jobs.privacy.emails import SHAPE
from jobs.privacy.keyring import Key
from jobs.privacy.minimisation.masks import CARD, EMAIL
from jobs.privacy.pseudonyms import BLOCK_BYTES, INNER_PAD, OUTER_PAD

WRITE = "(FORMAT parquet, COMPRESSION zstd)"


def connect(threads: int, memory_gb: int) -> duckdb.DuckDBPyConnection:
    """A connection with the same limits as the engine it is compared with."""
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}; SET memory_limit = '{memory_gb}GB'; SET TimeZone = 'UTC'")
    return connection


def land_clickstream(connection: duckdb.DuckDBPyConnection, drops: Path, home: Path) -> None:
    """Lines of all files with their source and number; those that are not UTF-8 are left out, which is less work."""
    home.mkdir(parents=True, exist_ok=True)
    connection.execute(f"""
        COPY (
            SELECT CAST(regexp_extract(filename, '(\\d{{4}}-\\d{{2}}-\\d{{2}})/[^/]*$', 1) AS DATE) AS pull_day,
                   filename AS source, row_number() OVER (PARTITION BY filename) AS line_no, raw
            FROM read_csv('{drops}/*/*', columns = {{'raw': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '',
                          header = false, filename = true, auto_detect = false, ignore_errors = true, max_line_size = 67108864)
        ) TO '{home}/landing.parquet' {WRITE}
    """)


def conform_clicks(connection: duckdb.DuckDBPyConnection, home: Path, key: Key) -> None:
    """Typed, masked, pseudonymous events; duplicates dropped, visits numbered, traffic flagged."""
    block = key.secret.ljust(BLOCK_BYTES, b"\0")
    inner = "".join(f"\\x{b ^ INNER_PAD:02X}" for b in block)
    outer = "".join(f"\\x{b ^ OUTER_PAD:02X}" for b in block)
    others = ", ".join(f'e."{name}"' for name in clicks.FIELDS if name not in ("time", "email"))
    connection.execute(f"""
        CREATE OR REPLACE MACRO is_card(d) AS length(d) BETWEEN 13 AND 19 AND list_sum(list_transform(
            range(1, length(d) + 1), lambda i: CASE WHEN (i % 2) = 0
                THEN (CAST(d[length(d) - i + 1] AS INT) * 2) // 10 + (CAST(d[length(d) - i + 1] AS INT) * 2) % 10
                ELSE CAST(d[length(d) - i + 1] AS INT) END)) % 10 = 0;
        CREATE OR REPLACE MACRO mask(t) AS CASE WHEN regexp_matches(t, '{CARD}') THEN list_reduce(
            list_prepend(regexp_replace(t, {_quote(EMAIL)}, '[email]', 'g'), list_filter(regexp_extract_all(t, '{CARD}'),
            lambda n: is_card(regexp_replace(n, '[ -]', '', 'g')))), lambda m, n: replace(m, n, '[card]'))
            ELSE regexp_replace(t, {_quote(EMAIL)}, '[email]', 'g') END;
        CREATE OR REPLACE MACRO digest(t) AS substr(sha256('{outer}'::BLOB || unhex(sha256('{inner}'::BLOB || encode(t)))), 1, 32);
        CREATE OR REPLACE TABLE parsed AS
        WITH fields AS (
            SELECT pull_day, source, line_no, raw, CASE WHEN json_valid(raw) THEN from_json(raw, '{{{_fields()}}}') END AS e
            FROM '{home}/landing.parquet'
        ), normal AS (
            SELECT *, TRY_CAST(e.time AS TIMESTAMPTZ) AS event_time, lower(trim(e.email)) AS address,
                   split_part(address, '@', 1) AS local, split_part(address, '@', 2) AS domain,
                   CASE WHEN regexp_matches(address, {_quote(SHAPE)}) THEN CASE WHEN domain IN ('gmail.com', 'googlemail.com')
                        THEN replace(split_part(local, '+', 1), '.', '') || '@gmail.com' ELSE address END END AS email
            FROM fields
        )
        SELECT pull_day, CAST(event_time AS DATE) AS day, event_time, digest(coalesce(email, 'visitor:' || e.visitor)) AS subject_id,
               e.action AS action, e.product AS product_id,
               mask(regexp_replace(split_part(split_part(e.url, '?', 1), '#', 1), {_quote(clicks.ORIGIN_PATTERN)}, '')) AS page_path, mask(e.search) AS search_text,
               TRY_CAST(e.dwell_ms AS BIGINT) AS dwell_ms, TRY_CAST(e.scroll_pct AS DOUBLE) AS scroll_pct,
               TRY_CAST(e.response_ms AS BIGINT) AS response_ms, e.error AS error_code, e.app AS app_id, e.country AS country,
               CASE WHEN e.user_agent IS NULL THEN 'other' WHEN regexp_matches(e.user_agent, {_quote(clicks.BOT_PATTERN)}) THEN 'bot'
                    WHEN regexp_matches(e.user_agent, {_quote(clicks.TABLET_PATTERN)}) THEN 'tablet'
                    WHEN regexp_matches(e.user_agent, {_quote(clicks.MOBILE_PATTERN)}) THEN 'mobile' ELSE 'desktop' END AS device,
               e.time IS NULL OR event_time IS NULL OR abs(pull_day - CAST(event_time AS DATE)) > 30
                   OR e.action NOT IN {clicks.ACTIONS} OR (e.email IS NOT NULL AND email IS NULL)
                   OR (e.email IS NULL AND e.visitor IS NULL) AS is_reject,
               CASE WHEN is_reject THEN raw END AS raw,
               hash(digest('event:' || hash(subject_id, event_time, {others}))) AS event_id
        FROM normal
    """)
    connection.execute(
        f"COPY (SELECT pull_day, raw FROM parsed WHERE coalesce(is_reject, true)) TO '{home}/rejects.parquet' {WRITE}"
    )
    connection.execute(f"""
        COPY (
            WITH firsts AS (
                SELECT * EXCLUDE (is_reject, raw) FROM parsed WHERE NOT is_reject
                WINDOW in_order AS (PARTITION BY day, subject_id ORDER BY event_time, event_id, pull_day)
                QUALIFY coalesce(lag(event_id) OVER in_order != event_id, true)
            ), gaps AS (
                SELECT *, epoch(event_time) - lag(epoch(event_time)) OVER in_order AS gap,
                       epoch(event_time) - lag(epoch(event_time), {visits.BURST_EVENTS - 1}) OVER in_order AS burst
                FROM firsts WINDOW in_order AS (PARTITION BY day, subject_id ORDER BY event_time, event_id)
            ), visits AS (
                SELECT *, max(CASE WHEN gap IS NULL OR gap > {visits.VISIT_GAP_SECONDS} THEN event_time END) OVER in_order AS start,
                       count(*) OVER persons_day AS events, max(coalesce(burst < {visits.BURST_SECONDS}, false)) OVER persons_day AS fast
                FROM gaps WINDOW in_order AS (PARTITION BY day, subject_id ORDER BY event_time, event_id),
                                 persons_day AS (PARTITION BY day, subject_id)
            )
            SELECT * EXCLUDE (gap, burst, start, events, fast), hash(subject_id, start) AS session_id,
                   CAST(hash(subject_id) % 256 AS INT) AS subject_bucket,
                   CASE WHEN device = 'bot' THEN 'declared bot' WHEN events > {visits.MAX_EVENTS_A_DAY} THEN 'too many'
                        WHEN fast THEN 'too fast' END AS flag
            FROM visits ORDER BY subject_bucket
        ) TO '{home}/clicks.parquet' {WRITE}
    """)
    connection.execute("DROP TABLE parsed")
    connection.execute(f"""
        COPY (SELECT day, session_id, subject_id, min(event_time), max(event_time), count(*), count(DISTINCT product_id), max(flag)
              FROM '{home}/clicks.parquet' GROUP BY ALL) TO '{home}/sessions.parquet' {WRITE}
    """)


def also_viewed(
    connection: duckdb.DuckDBPyConnection, home: Path, *, cap: int, reach: int, people: int, top: int
) -> None:
    """For each product the products most often seen near it in the same visits, scored like the table."""
    connection.execute(f"""
        COPY (
            WITH seen AS (
                SELECT session_id, subject_id, product_id, min(event_time) AS first_at FROM '{home}/clicks.parquet'
                WHERE flag IS NULL AND product_id IS NOT NULL AND action IN ('view', 'cart', 'favourite', 'buy') GROUP BY ALL
            ), placed AS (
                SELECT *, row_number() OVER (PARTITION BY session_id, subject_id ORDER BY first_at, product_id) AS place FROM seen
                QUALIFY place <= {cap}
            ), totals AS (SELECT product_id, count(*) + 5.0 AS n FROM placed GROUP BY ALL
            ), by_person AS (
                SELECT least(a.product_id, b.product_id) AS x, greatest(a.product_id, b.product_id) AS y, a.subject_id, count(*) AS c,
                       sum(CASE WHEN a.product_id < b.product_id THEN 1.0 ELSE 0.75 END / (b.place - a.place)) AS forward,
                       sum(CASE WHEN a.product_id < b.product_id THEN 0.75 ELSE 1.0 END / (b.place - a.place)) AS backward
                FROM placed a JOIN placed b USING (session_id, subject_id)
                WHERE a.place < b.place AND b.place <= a.place + {reach} GROUP BY ALL
            ), pairs AS (
                SELECT x, y, sum(c) AS c, count(*) AS people, sum(forward) AS forward, sum(backward) AS backward
                FROM by_person GROUP BY x, y HAVING count(*) >= {people}
            ), directed AS (
                SELECT x, y, c, people, forward AS weight FROM pairs UNION ALL SELECT y, x, c, people, backward FROM pairs
            )
            SELECT x, y, c, people, weight / (tx.n ** 0.75 * ty.n ** 0.25) AS score,
                   row_number() OVER (PARTITION BY x ORDER BY score DESC, people DESC, y) AS rank
            FROM directed JOIN totals tx ON x = tx.product_id JOIN totals ty ON y = ty.product_id
            QUALIFY rank <= {top}
        ) TO '{home}/also_viewed.parquet' {WRITE}
    """)


def recently_viewed(connection: duckdb.DuckDBPyConnection, home: Path, *, top: int) -> None:
    """Each person's latest products."""
    connection.execute(f"""
        COPY (
            SELECT subject_id, product_id, max(event_time) AS viewed_at,
                   row_number() OVER (PARTITION BY subject_id ORDER BY viewed_at DESC, product_id) AS rank
            FROM '{home}/clicks.parquet' WHERE flag IS NULL AND action = 'view' AND product_id IS NOT NULL
            GROUP BY subject_id, product_id QUALIFY rank <= {top}
        ) TO '{home}/recently_viewed.parquet' {WRITE}
    """)


def _fields() -> str:
    return ", ".join(f'"{name}": "VARCHAR"' for name in clicks.FIELDS)


def _quote(pattern: str) -> str:
    return "'" + pattern.replace("'", "''") + "'"
