"""Parquet footers as trees that can be changed and written back byte for byte.

Parquet describes a file in Thrift's compact protocol. The tree keeps every field that is there, also those that no
library of today knows, so that a footer that is read and written without a change is the same bytes.

References:
    Apache Thrift, compact protocol encoding; Apache Parquet, file format, ``parquet.thrift``.
"""

import struct
from typing import Any, Final

from jobs.errors import SophiluxError

MAGIC: Final = b"PAR1"
TAIL_BYTES: Final = 8

STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT, UUID = range(14)
INTEGERS: Final = (I16, I32, I64)
WIDE_LIST: Final = 15

Struct = dict[int, tuple[int, Any]]
"""Fields of a struct by number: type and value. A list is ``(element type, values)``."""


def read_struct(data: bytes) -> tuple[Struct, int]:
    """The struct at the start of ``data``, and the bytes it takes.

    Raises:
        SophiluxError: the bytes are no struct of the compact protocol.
    """
    reader = _Reader(data)
    try:
        return reader.read_struct(), reader.position
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


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def read_struct(self) -> Struct:
        fields: Struct = {}
        number = 0
        while (head := self._byte()) != STOP:
            kind, step = head & 0x0F, head >> 4
            number = number + step if step else _unzigzag(self._varint())
            fields[number] = (kind, self._value(kind))
        return fields

    def _value(self, kind: int) -> Any:  # noqa: ANN401
        return kind == TRUE if kind in (TRUE, FALSE) else self._element(kind)

    def _element(self, kind: int) -> Any:  # noqa: ANN401
        if kind in INTEGERS:
            return _unzigzag(self._varint())
        if kind == STRUCT:
            return self.read_struct()
        if kind == BINARY:
            return self._bytes(self._varint())
        if kind in (LIST, SET):
            return self._list()
        return {TRUE: self._byte, FALSE: self._byte, BYTE: self._byte, DOUBLE: self._double, MAP: self._map}[kind]()

    def _list(self) -> tuple[int, list[Any]]:
        head = self._byte()
        kind, size = head & 0x0F, head >> 4
        size = self._varint() if size == WIDE_LIST else size
        return kind, [self._element(kind) for _ in range(size)]

    def _map(self) -> tuple[int, list[tuple[Any, Any]]]:
        size = self._varint()
        kinds = self._byte() if size else 0
        return kinds, [(self._element(kinds >> 4), self._element(kinds & 0x0F)) for _ in range(size)]

    def _double(self) -> float:
        return float(struct.unpack("<d", self._bytes(8))[0])

    def _bytes(self, size: int) -> bytes:
        start, self.position = self.position, self.position + size
        if self.position > len(self._data):
            raise IndexError
        return self._data[start : self.position]

    def _byte(self) -> int:
        self.position += 1
        return self._data[self.position - 1]

    def _varint(self) -> int:
        number = shift = 0
        while (byte := self._byte()) & 0x80:
            number |= (byte & 0x7F) << shift
            shift += 7
        return number | byte << shift


def _write_struct(out: bytearray, fields: Struct) -> None:
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


def _unzigzag(number: int) -> int:
    return number >> 1 ^ -(number & 1)
