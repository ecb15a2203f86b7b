"""ArrayRecord files, written, and read one record at a time and never more than announced and allowed.

A few bytes may decompress to any size, and the library that reads them does not ask. So the sizes that
the chunks' headers announce are read first (riegeli/doc/riegeli_records_file_format.md).
"""

import contextlib
import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

LARGEST = 1 << 31  # bytes of one record, as large as protobuf can make it
BLOCK, BLOCK_HEADER, CHUNK_HEADER = 1 << 16, 24, 40


class RecordWriter:
    """Writes a file. Where there is no room for it that is an OSError, as of all files, and not ArrayRecord's own."""

    def __init__(self, path: str, options: str):
        from array_record.python.array_record_module import ArrayRecordWriter

        self._path, self._writer = path, ArrayRecordWriter(path, options)

    def write(self, record: bytes) -> None:
        """Add a record."""
        with self._room():
            self._writer.write(record)

    def close(self) -> None:
        """Write what is left, and the index."""
        with self._room():
            self._writer.close()

    @contextlib.contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                if os.strerror(number) in str(error):
                    raise OSError(number, os.strerror(number), self._path) from None
            raise


def read_records(path: Path) -> Iterator[bytes]:
    """Return the records of a file. Raises ValueError if one is larger than allowed,
    and what ArrayRecord raises on damage."""
    from array_record.python.array_record_module import ArrayRecordReader

    largest = max((decoded for _, decoded in chunks(path)), default=0)
    if largest > LARGEST:
        raise ValueError(f"a record of {largest} bytes is larger than any episode may be")
    reader = ArrayRecordReader(str(path), "readahead_buffer_size:0,max_parallelism:0")
    for number in range(reader.num_records()):
        yield reader.read([number])[0]


def chunks(path: Path) -> Iterator[tuple[int, int]]:
    """Return (records, bytes when decoded) of every chunk, from the headers alone."""
    size, at = os.path.getsize(path), 0
    with open(path, "rb") as file:
        while at < size:
            header = _header(file, at)
            if len(header) < CHUNK_HEADER:
                return
            _, length, _, kind, decoded = struct.unpack("<5Q", header)
            records = kind >> 8
            yield records, decoded
            at = max(_after(_after(at, CHUNK_HEADER), length), at + records)


def _after(at: int, length: int) -> int:
    """Return the place that many bytes ahead, where each block of the file begins with a header of its own."""
    room = BLOCK - BLOCK_HEADER
    used = at % BLOCK - BLOCK_HEADER if at % BLOCK else 0  # of this block's room
    blocks, rest = divmod(used + length, room)
    if rest == 0 and length:  # ends exactly with a block: the next begins with its header
        return at - at % BLOCK + blocks * BLOCK
    return at - at % BLOCK + blocks * BLOCK + (BLOCK_HEADER + rest if length or at % BLOCK else 0)


def _header(file: BinaryIO, at: int) -> bytes:
    out = b""
    while len(out) < CHUNK_HEADER:
        at += BLOCK_HEADER if at % BLOCK == 0 else 0
        file.seek(at)
        part = file.read(min(CHUNK_HEADER - len(out), BLOCK - at % BLOCK))
        if not part:
            break
        out += part
        at += len(part)
    return out
