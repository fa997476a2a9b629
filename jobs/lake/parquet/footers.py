"""Parquet footers as trees that can be changed and written back byte for byte.

Parquet describes a file in Thrift's compact protocol. The tree keeps every field that is there, also those that no
library of today knows, so that a footer that is read and written without a change is the same bytes.

References:
    Apache Thrift, compact protocol encoding; Apache Parquet, file format, ``parquet.thrift``.
"""

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from jobs.errors import SophiluxError

MAGIC: Final = b"PAR1"
TAIL_BYTES: Final = 8

STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT, UUID = range(14)
INTEGERS: Final = (I16, I32, I64)
WIDE_LIST: Final = 15
SHORT_STEP: Final = 16
LAST_SEVEN_BITS: Final = 0x7F
DEEPEST: Final = 2**31
ALL: Final[Mapping[int, int]] = MappingProxyType({})

Struct = dict[int, tuple[int, Any]]
"""Fields of a struct by number: type and value. A list is ``(element type, values)``; a struct in it may be bytes."""


def read_struct(data: bytes, *, depths: Mapping[int, int] = ALL) -> tuple[Struct, int]:
    """The struct at the start of ``data``, and the bytes it takes.

    Args:
        data: bytes that begin with the struct.
        depths: numbers of its fields, and how deep structs in them are read; those below stay bytes, each to be read
            when it is asked for. By default all are read.

    Raises:
        SophiluxError: the bytes are no struct of the compact protocol.
    """
    try:
        return _read_struct(data, 0, DEEPEST, depths)
    except (IndexError, struct.error, KeyError):
        message = "A Parquet file's description cannot be read; the file is damaged. Restore it from your backup."
        raise SophiluxError(message) from None


def write_struct(fields: Struct) -> bytes:
    """The bytes of a struct."""
    out = bytearray()
    _write_struct(out, fields)
    return bytes(out)


def get(fields: Struct, number: int, default: Any = None) -> Any:  # noqa: ANN401
    """Value of a field; the default where the struct has none."""
    return fields[number][1] if number in fields else default


def put(fields: Struct, number: int, value: Any) -> None:  # noqa: ANN401
    """Change the value of a field that is there."""
    fields[number] = (fields[number][0], value)


def skip_struct(data: bytes, at: int) -> int:
    """Where the struct ends that begins at a place.

    A row group is described in some thousand numbers, of which those that are copied need none.
    """
    while head := data[at]:
        at += 1
        if head < SHORT_STEP:
            at = _skip_varint(data, at)
        kind = head & 0x0F
        if kind in INTEGERS:
            while data[at] > LAST_SEVEN_BITS:
                at += 1
            at += 1
        elif kind not in (TRUE, FALSE):
            at = _skip_element(data, at, kind)
    return at + 1


def _skip_element(data: bytes, at: int, kind: int) -> int:
    if kind == BINARY and data[at] <= LAST_SEVEN_BITS:
        return at + 1 + data[at]
    if kind == STRUCT:
        return skip_struct(data, at)
    if kind in INTEGERS:
        return _skip_varint(data, at)
    if kind not in (LIST, SET):
        return _READERS[kind](data, at)[1]
    kind, size, at = _read_list_head(data, at)
    for _ in range(size):
        at = _skip_element(data, at, kind)
    return at


def _skip_varint(data: bytes, at: int) -> int:
    while data[at] > LAST_SEVEN_BITS:
        at += 1
    return at + 1


def _read_struct(data: bytes, at: int, depth: int = DEEPEST, depths: Mapping[int, int] = ALL) -> tuple[Struct, int]:
    fields: Struct = {}
    number = 0
    while head := data[at]:
        at += 1
        kind, step = head & 0x0F, head >> 4
        if not step:
            number, at = _read_integer(data, at)
        number += step
        value: Any
        if kind in INTEGERS:
            value, at = _read_integer(data, at)
        elif kind in (TRUE, FALSE):
            value = kind == TRUE
        elif kind == STRUCT:
            value, at = _read_or_fold(data, at, depths.get(number, depth))
        elif kind in (LIST, SET):
            value, at = _read_list(data, at, depths.get(number, depth))
        else:
            value, at = _READERS[kind](data, at)
        fields[number] = (kind, value)
    return fields, at + 1


def _read_or_fold(data: bytes, at: int, depth: int) -> tuple[Struct | bytes, int]:
    """A struct within another, of which only the end is looked for where it is too deep."""
    if depth:
        return _read_struct(data, at, depth - 1)
    end = skip_struct(data, at)
    return data[at:end], end


def _read_list(data: bytes, at: int, depth: int = DEEPEST) -> tuple[tuple[int, list[Any]], int]:
    kind, size, at = _read_list_head(data, at)
    values = []
    for _ in range(size):
        value, at = _read_or_fold(data, at, depth) if kind == STRUCT else _READERS[kind](data, at)
        values.append(value)
    return (kind, values), at


def _read_list_head(data: bytes, at: int) -> tuple[int, int, int]:
    kind, size, at = data[at] & 0x0F, data[at] >> 4, at + 1
    if size == WIDE_LIST:
        size, at = _read_varint(data, at)
    return kind, size, at


def _read_map(data: bytes, at: int) -> tuple[tuple[int, list[tuple[Any, Any]]], int]:
    size, at = _read_varint(data, at)
    if not size:
        return (0, []), at
    kinds, at, entries = data[at], at + 1, []
    for _ in range(size):
        key, at = _READERS[kinds >> 4](data, at)
        value, at = _READERS[kinds & 0x0F](data, at)
        entries.append((key, value))
    return (kinds, entries), at


def _read_binary(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _read_varint(data, at)
    if at + size > len(data):
        raise IndexError
    return data[at : at + size], at + size


def _read_double(data: bytes, at: int) -> tuple[float, int]:
    return float(struct.unpack_from("<d", data, at)[0]), at + 8


def _read_byte(data: bytes, at: int) -> tuple[int, int]:
    return data[at], at + 1


def _read_integer(data: bytes, at: int) -> tuple[int, int]:
    number = data[at]
    if number <= LAST_SEVEN_BITS:
        return number >> 1 ^ -(number & 1), at + 1
    number, at = _read_varint(data, at)
    return number >> 1 ^ -(number & 1), at


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    byte, at = data[at], at + 1
    number, shift = byte & LAST_SEVEN_BITS, 7
    while byte > LAST_SEVEN_BITS:
        byte, at = data[at], at + 1
        number |= (byte & LAST_SEVEN_BITS) << shift
        shift += 7
    return number, at


_READERS: Final[dict[int, Callable[[bytes, int], tuple[Any, int]]]] = {
    **dict.fromkeys(INTEGERS, _read_integer),
    **dict.fromkeys((TRUE, FALSE, BYTE), _read_byte),
    **dict.fromkeys((LIST, SET), _read_list),
    DOUBLE: _read_double,
    BINARY: _read_binary,
    MAP: _read_map,
    STRUCT: _read_struct,
}
"""What reads a value of each type; gives it and where it ends."""


def _write_struct(out: bytearray, fields: Struct | bytes) -> None:
    if isinstance(fields, bytes):
        out += fields
        return
    before = 0
    for number, (kind, value) in fields.items():
        written = kind if kind not in (TRUE, FALSE) else TRUE if value else FALSE
        step = number - before
        if 0 < step < 16:
            out.append(step << 4 | written)
        else:
            out.append(written)
            _write_varint(out, _zigzag(number))
        if kind not in (TRUE, FALSE):
            _write_element(out, kind, value)
        before = number
    out.append(STOP)


def _write_element(out: bytearray, kind: int, value: Any) -> None:  # noqa: ANN401
    if kind in INTEGERS:
        _write_varint(out, _zigzag(value))
    elif kind == STRUCT:
        _write_struct(out, value)
    elif kind == BINARY:
        _write_varint(out, len(value))
        out += value
    elif kind in (LIST, SET):
        _write_list(out, *value)
    elif kind == DOUBLE:
        out += struct.pack("<d", value)
    elif kind == MAP:
        _write_map(out, *value)
    else:
        out.append(value)


def _write_list(out: bytearray, kind: int, values: list[Any]) -> None:
    if len(values) < WIDE_LIST:
        out.append(len(values) << 4 | kind)
    else:
        out.append(WIDE_LIST << 4 | kind)
        _write_varint(out, len(values))
    for value in values:
        _write_element(out, kind, value)


def _write_map(out: bytearray, kinds: int, entries: list[tuple[Any, Any]]) -> None:
    _write_varint(out, len(entries))
    if entries:
        out.append(kinds)
    for key, value in entries:
        _write_element(out, kinds >> 4, key)
        _write_element(out, kinds & 0x0F, value)


def _write_varint(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else (-number << 1) - 1
