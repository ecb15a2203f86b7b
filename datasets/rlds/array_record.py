"""ArrayRecord files: write them, and read them one record at a time within limits.

A few bytes may decompress to any size, and the library does not check. So the sizes in the chunks' headers are checked
first (riegeli/doc/riegeli_records_file_format.md).
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
    """Write a file. On a full disk this raises OSError, not ArrayRecord's own error."""

    def __init__(self, path: str, options: str):
        from array_record.python.array_record_module import ArrayRecordWriter

        self._path, self._writer = path, ArrayRecordWriter(path, options)

    def write(self, record: bytes) -> None:
        """Add a record."""
        with self._room():
            self._writer.write(record)

    def close(self) -> None:
        """Write the remaining records and the index."""
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
    """Yield the records of a file; ValueError if one is too large, and ArrayRecord's errors for damage."""
    from array_record.python.array_record_module import ArrayRecordReader

    largest = max((decoded for _, decoded in chunks(path)), default=0)
    if largest > LARGEST:
        raise ValueError(f"a record of {largest} bytes is larger than any episode may be")
    reader = ArrayRecordReader(str(path), "readahead_buffer_size:0,max_parallelism:0")
    for number in range(reader.num_records()):
        yield reader.read([number])[0]


def chunks(path: Path) -> Iterator[tuple[int, int]]:
    """Return (number of records, decoded bytes) of every chunk, from the headers alone."""
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
    """Advance by that many bytes of content; each block of the file begins with a header."""
    room = BLOCK - BLOCK_HEADER
    used = at % BLOCK - BLOCK_HEADER if at % BLOCK else 0  # bytes of this block before `at`
    blocks, rest = divmod(used + length, room)
    if rest == 0 and length:  # at the end of a block: skip the next one's header
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
