"""Damages files as accidents and attackers do: bytes, lengths and pieces, also inside of zips and of JSON."""

import io
import json
import random
import struct
import zipfile

NASTY = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1]
PIECES = [
    b"cposix\nsystem\n",
    b"\x8c\x05posix\x8c\x06system\x93",
    b"\x8c\x08builtins\x8c\x04eval\x93",
    b"\x8c\x02id\x85R.",
    b"\x94h\x00h\x00e",
    b"}\x94(h\x00h\x00u",
    b"((((((((",
    b"2" * 64,
    b"\x8e" + struct.pack("<Q", 2**62),
    b"\x96" + struct.pack("<Q", 2**40),
    b"\xdf\xff\xff\xff\xff",
    b"\xdd\x7f\xff\xff\xff",
    b"\xc9\xff\xff\xff\xff\x01",
    b"[" * 200,
    b'{"a":' * 200,
    b"../../../etc/passwd",
    b"PK\x01\x02" * 40,
    b"PK\x05\x06",
    b"PK\x06\x06",
    b"NaN",
    b"1e999",
    b"\xff\xfe",
    b"\x00" * 64,
]
ODD = [None, True, -1, 0, 2**31, 10**30, 1.5, float("nan"), float("inf"), "", "x" * 50, [], {}, [[]], "../../x", "mlp"]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Make one to six changes: bits, numbers, meaningful pieces, cuts, and copies of its own parts."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(made) + 1)
        match chance.randrange(8):
            case 0 if at < len(made):
                made[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(made):
                made[at] = chance.randrange(256)
            case 2:
                number = chance.choice(NASTY)
                size = chance.choice([n for n in (1, 2, 4, 8) if number < 256**n])
                made[at : at + size] = number.to_bytes(size, chance.choice(("little", "big")))
            case 3:
                made[at:at] = chance.choice(PIECES)
            case 4:
                piece = chance.choice(PIECES)
                made[at : at + len(piece)] = piece
            case 5:
                del made[at : at + chance.choice((1, 2, 8, 64, 10**6))]
            case 6:
                begin = chance.randrange(len(made) + 1)
                made[at:at] = made[begin : begin + chance.choice((1, 4, 16, 256))]
            case 7:
                made += bytes(chance.randrange(256) for _ in range(chance.randrange(1, 9)))
    return bytes(made)


def damaged_zip(data: bytes, chance: random.Random) -> bytes:
    """Return a zip with a right index whose member, or one of a zip in it, is damaged, renamed, doubled or huge."""
    if chance.random() < 0.2:
        return damaged(data, chance)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    small = [n for n, (name, content) in enumerate(members) if name.endswith(("data.pkl", "data", "policy.pth"))]
    chosen = chance.choice(small or range(len(members)))
    name, content = members[chosen]
    how = chance.random()
    if content[:2] == b"PK":
        content = damaged_zip(content, chance)
    elif how < 0.8:
        content = damaged_json(content, chance) if content[:1] == b"{" and how < 0.5 else damaged(content, chance)
    elif how < 0.85:
        name = chance.choice(("../" + name, "/" + name, "C:\\" + name, name.replace("/", "\\..\\"), "x/" * 999 + name))
    elif how < 0.9:
        members.append((name, content))
    elif how < 0.95:
        content = bytes(60 * 2**20)
    else:
        content = b""
    members[chosen] = (name, content)
    made = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if how >= 0.9 or chance.random() < 0.1 else zipfile.ZIP_STORED
    with zipfile.ZipFile(made, "w", kind, compresslevel=1) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=kind)
    return made.getvalue()


def damaged_json(data: bytes, chance: random.Random) -> bytes:
    """Return JSON in which some values have another type, are missing, or are repeated."""
    try:
        tree = json.loads(data)
    except ValueError:
        return damaged(data, chance)
    for _ in range(chance.randrange(1, 4)):
        place, parent, key = tree, tree, None
        while isinstance(place, (dict, list)) and place and (key is None or chance.random() < 0.75):
            parent, key = place, chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
            place = parent[key]
        if key is not None:
            match chance.randrange(4):
                case 0:
                    del parent[key]
                case 1 if isinstance(parent, dict):
                    parent[chance.choice(("name", "options", "of", "size", "width", "shape", "dtype", "x" * 99))] = (
                        place
                    )
                case _:
                    parent[key] = chance.choice(ODD)
    return json.dumps(tree).encode()


def damaged_safetensors(data: bytes, chance: random.Random) -> bytes:
    """Return a header that lies, of the length that it says."""
    if chance.random() < 0.4:
        return damaged(data, chance)
    size = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + size]
    header = damaged_json(header, chance) if chance.random() < 0.7 else damaged(header, chance)
    return len(header).to_bytes(8, "little") + header + data[8 + size :]
