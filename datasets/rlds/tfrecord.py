"""Read and write TFRecord files without TensorFlow: length, checksum, record, checksum (tensorflow/core/lib/io)."""

import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import google_crc32c


def checksum(data: bytes) -> int:
    """Return the masked CRC-32C of the data, as in TFRecord."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def read_records(path: Path) -> Iterator[bytes]:
    """Return the records of a file. Raises ValueError where a length or a checksum is wrong
    or the file is cut short."""
    if path.stat().st_size == 0:
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at, size = 0, len(data)
        while at < size:
            if at + 12 > size:
                raise ValueError("the file is cut short")
            length, crc = struct.unpack_from("<QI", data, at)
            if checksum(data[at : at + 8]) != crc:
                raise ValueError("the checksum of a length is wrong")
            if length > size - at - 16:
                raise ValueError("the file is cut short")
            record = data[at + 12 : at + 12 + length]
            if checksum(record) != struct.unpack_from("<I", data, at + 12 + length)[0]:
                raise ValueError("the checksum of the record is wrong")
            yield record
            at += 16 + length


class TFRecordWriter:
    """Write records to a new file."""

    def __init__(self, path: str | os.PathLike):
        self._file = open(path, "wb")

    def write(self, record: bytes) -> None:
        """Append a record."""
        head = struct.pack("<Q", len(record))
        self._file.write(head + struct.pack("<I", checksum(head)))
        self._file.write(record + struct.pack("<I", checksum(record)))

    def close(self) -> None:
        """Flush and close."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self.close()
