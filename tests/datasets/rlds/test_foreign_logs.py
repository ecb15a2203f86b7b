"""Folders that others wrote: TFRecord, PNG of every kind, JPEG, zlib tensors, stacks, and broken ones."""

import io
import json
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from reincarnate.datasets.rlds import images, tf_example
from reincarnate.datasets.rlds.read import load, read
from reincarnate.datasets.rlds.tfrecord import TFRecordWriter, read_records

from ..logs import episode, same


def _features(frame):
    scalar = {"pythonClassName": "Scalar", "tensor": {"shape": {}, "dtype": "float32", "encoding": "none"}}
    flag = {"pythonClassName": "Tensor", "tensor": {"shape": {}, "dtype": "bool", "encoding": "none"}}
    whole = {"pythonClassName": "Tensor", "tensor": {"shape": {}, "dtype": "int64", "encoding": "none"}}
    steps = {"observation": frame, "action": whole, "reward": scalar, "discount": scalar}
    steps |= {name: flag for name in ("is_first", "is_last", "is_terminal")}
    inner = {"pythonClassName": "FeaturesDict", "featuresDict": {"features": steps}}
    top = {"steps": {"pythonClassName": "Dataset", "sequence": {"feature": inner, "length": "-1"}}, "episode_id": whole}
    return {"pythonClassName": "FeaturesDict", "featuresDict": {"features": top}}


def _image(kind="png", shape=("84", "84", "1"), dtype="uint8"):
    return {
        "pythonClassName": "Image",
        "image": {"shape": {"dimensions": shape}, "dtype": dtype, "encodingFormat": kind},
    }


def _tensor(encoding, shape=("84", "84", "1"), dtype="uint8"):
    return {
        "pythonClassName": "Tensor",
        "tensor": {"shape": {"dimensions": shape}, "dtype": dtype, "encoding": encoding},
    }


def _folder(path, episodes, frame, encode, change=lambda record: record):
    """Write a TFRecord folder like those of the TFDS catalog: one shard, with frames as `encode(frames)` says."""
    path.mkdir()
    (path / "features.json").write_text(json.dumps(_features(frame)))
    split = {"name": "train", "shardLengths": [str(len(episodes))], "numBytes": "0"}
    split["filepathTemplate"] = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    info = {"name": "toy", "version": "1.0.0", "fileFormat": "tfrecord", "splits": [split]}
    (path / "dataset_info.json").write_text(json.dumps(info))
    with TFRecordWriter(path / "toy-train.tfrecord-00000-of-00001") as writer:
        for one in episodes:
            s = one.steps
            columns = {"action": s.action, "reward": s.reward, "is_first": s.is_first, "is_last": s.is_last}
            columns |= {"is_terminal": s.is_terminal, "discount": np.ones(len(s.action), np.float32)}
            record = {f"steps/{name}": column for name, column in columns.items()}
            record |= {"steps/observation": encode(s.frame), "episode_id": np.array([one.episode_id])}
            writer.write(change(tf_example.encode(record)))


def _pillow(frames, kind="PNG", **options):
    out = []
    for frame in frames:
        file = io.BytesIO()
        Image.fromarray(frame).save(file, kind, **options)
        out.append(file.getvalue())
    return out


WAYS = {
    "png by us": (_image(), images.encode_png),
    "png by Pillow": (_image(), _pillow),
    "png in many chunks": (_image(), lambda frames: [_in_chunks(one) for one in images.encode_png(frames)]),
    "zlib": (_tensor("zlib"), lambda frames: [zlib.compress(frame.tobytes()) for frame in frames]),
    "bytes": (_tensor("bytes"), lambda frames: frames.reshape(len(frames), -1)),
    "numbers": (_tensor("none"), lambda frames: frames.astype(np.int64)),
}


def _in_chunks(png):
    """Return the same picture with a text chunk in front and its pixels in pieces of 100 bytes."""
    length = int.from_bytes(png[33:37], "big")
    pixels = png[41 : 41 + length]
    parts = [images._chunk(b"IDAT", pixels[at : at + 100]) for at in range(0, length, 100)]
    return png[:33] + images._chunk(b"tEXt", b"by\0hand") + b"".join(parts) + images._chunk(b"IEND", b"")


@pytest.mark.parametrize("way", WAYS)
def test_a_tfrecord_folder_is_read(tmp_path, way):
    rng = np.random.default_rng(0)
    episodes = [episode(rng, number + 10) for number in range(4)]
    _folder(tmp_path / "log", episodes, *WAYS[way])
    got = list(read(tmp_path / "log", "train"))
    assert [e.episode_id for e in got] == [10, 11, 12, 13]
    assert all(same(a.steps, b.steps) for a, b in zip(episodes, got, strict=True))
    assert np.array_equal(load(tmp_path / "log").frame, np.concatenate([e.steps.frame for e in episodes]))


def test_jpeg_is_read_as_pillow_reads_it(tmp_path):
    one = episode(np.random.default_rng(0), 0)
    encoded = _pillow(one.steps.frame, "JPEG")
    _folder(tmp_path / "log", [one], _image("jpeg"), lambda frames: encoded)
    (got,) = read(tmp_path / "log")
    assert np.array_equal(got.steps.frame[0], np.asarray(Image.open(io.BytesIO(encoded[0]))))


def test_of_stacks_the_newest_frames_are_kept(tmp_path):
    one = episode(np.random.default_rng(0), 0, size=6)
    padded = np.concatenate([np.zeros((3, 84, 84), np.uint8), one.steps.frame])
    stacks = np.stack([padded[k : k + 7] for k in range(4)], axis=-1)
    _folder(tmp_path / "log", [one], _tensor("bytes", ("84", "84", "4")), lambda _: stacks.reshape(7, -1))
    (got,) = read(tmp_path / "log")
    assert same(got.steps, one.steps)


def _png(frame, filters, depth=8):
    """Return a PNG by the book, each row with the given filter: a plain reference to decode against."""
    height, width, channels = frame.shape
    bpp = channels * depth // 8
    raw = frame.astype(">u2").tobytes() if depth == 16 else frame.astype(np.uint8).tobytes()
    rows = [bytes(width * bpp)] + [raw[y * width * bpp : (y + 1) * width * bpp] for y in range(height)]
    out = bytearray()
    for y, kind in enumerate(filters):
        up, row = rows[y], rows[y + 1]
        out.append(kind)
        for x, value in enumerate(row):
            a = row[x - bpp] if x >= bpp else 0
            b, c = up[x], up[x - bpp] if x >= bpp else 0
            p = a + b - c
            paeth = min((a, b, c), key=lambda v: abs(p - v))  # the first of equals, in this order
            out.append((value - (0, a, b, (a + b) // 2, paeth)[kind]) & 255)
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(out))), (b"IEND", b""))
    return images.SIGNATURE + b"".join(images._chunk(*chunk) for chunk in chunks)


@pytest.mark.parametrize("compiled", [True, False])
@settings(max_examples=60, deadline=None)
@given(data=st.data(), channels=st.sampled_from([1, 2, 3, 4]), depth=st.sampled_from([8, 16]), seed=st.integers(0, 99))
def test_every_filter_and_depth_is_undone(compiled, data, channels, depth, seed):
    rng = np.random.default_rng(seed)
    height, width = data.draw(st.integers(1, 7)), data.draw(st.integers(1, 7))
    frames = rng.integers(0, 2**depth, (3, height, width, channels)).astype(f"uint{depth}")
    filters = [data.draw(st.lists(st.integers(0, 4), min_size=height, max_size=height)) for _ in range(3)]
    encoded = [memoryview(_png(frame, kinds, depth)) for frame, kinds in zip(frames, filters, strict=True)]
    kernel = images._unfilter
    images._unfilter = kernel if compiled else lambda: images._undo_filters
    try:
        with np.errstate(over="ignore"):
            got = images.decode(encoded, (height, width, channels), np.dtype(f"uint{depth}"))
    finally:
        images._unfilter = kernel
    assert np.array_equal(got, frames)


def test_many_images_are_decoded_in_blocks_and_a_bad_one_is_named():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (2 * images.BLOCK + 2, 5, 3, 1), np.uint8)
    encoded = [_png(frame, rng.integers(0, 5, 5)) for frame in frames]
    got = images.decode([memoryview(image) for image in encoded], (5, 3, 1), np.dtype(np.uint8))
    assert np.array_equal(got, frames)
    encoded[images.BLOCK + 7] = (
        encoded[0][:33] + images._chunk(b"IDAT", zlib.compress(bytes([5] * 20))) + encoded[0][-12:]
    )
    with pytest.raises(ValueError, match=f"^step {images.BLOCK + 7}: its image has an unknown filter$"):
        images.decode([memoryview(image) for image in encoded], (5, 3, 1), np.dtype(np.uint8))


@pytest.mark.parametrize("mode, options", [("1", {}), ("P", {}), ("L", {"optimize": True})])
def test_rare_kinds_of_png_are_read_as_pillow_reads_them(mode, options):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7), np.uint8)).convert(mode)
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    got = images.decode([memoryview(file.getvalue())], (9, 7, 1), np.dtype(np.uint8))
    assert np.array_equal(got[0, :, :, 0], np.asarray(picture.convert("L")))


def _bomb(frames):
    """Return small files with ten thousand times as many pixels as announced."""
    good = images.encode_png(frames)
    return good[:1] + [good[1][:33] + images._chunk(b"IDAT", zlib.compress(bytes(10**8))) + good[1][-12:]]


BROKEN = {
    "step 1: its image is 40x84 where": lambda f: [*images.encode_png(f[:1]), *images.encode_png(f[1:, :40])],
    "step 1: its image is neither PNG nor JPEG": lambda f: [images.encode_png(f)[0], b"no picture"],
    "step 1: its compressed data is damaged": lambda f: [images.encode_png(f)[0], _broken(images.encode_png(f)[1])],
    "step 1: its compressed data does not hold 7140 bytes": _bomb,
    "step 1: its image has no pixels": lambda f: [images.encode_png(f)[0], images.encode_png(f)[1][:33]],
    "step 0: its image is 42x42x1 where": lambda f: images.encode_png(f[:, :42, :42]),
}


def _broken(png):
    return png[:60] + bytes(20) + png[80:]


@pytest.mark.parametrize("sentence", BROKEN)
def test_a_broken_image_is_one_sentence(tmp_path, sentence):
    _folder(tmp_path / "log", [episode(np.random.default_rng(0), 0, size=1)], _image(), BROKEN[sentence])
    with pytest.raises(ValueError, match=f"00000-of-00001, episode 0: {sentence}") as caught:
        list(read(tmp_path / "log"))
    assert "\n" not in str(caught.value)


def test_a_zlib_tensor_that_grows_is_refused(tmp_path):
    one = episode(np.random.default_rng(0), 0, size=1)
    _folder(tmp_path / "log", [one], _tensor("zlib"), lambda frames: [zlib.compress(bytes(10**8))] * 2)
    with pytest.raises(ValueError, match="episode 0: step 0: its compressed data does not hold 7056 bytes"):
        list(read(tmp_path / "log"))


@pytest.mark.parametrize(
    "damage, sentence",
    [
        (lambda data: data[:-1], "episode 2: the file is cut short"),
        (lambda data: data[:5], "episode 0: the file is cut short"),
        (lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:], "episode 2: the checksum of the record"),
        (lambda data: bytes([data[0] ^ 1]) + data[1:], "episode 0: the checksum of a length"),
        (lambda data: data + data, "holds 6 episodes where 3 are stated"),
        (lambda data: b"", "holds 0 episodes where 3 are stated"),
    ],
)
def test_a_damaged_tfrecord_file_is_one_sentence(tmp_path, damage, sentence):
    rng = np.random.default_rng(0)
    _folder(tmp_path / "log", [episode(rng, n, size=2) for n in range(3)], _image(), images.encode_png)
    (shard,) = (tmp_path / "log").glob("*tfrecord*")
    shard.write_bytes(damage(shard.read_bytes()))
    with pytest.raises(ValueError, match=sentence):
        list(read(tmp_path / "log"))


def test_a_length_that_lies_with_a_true_checksum_is_refused(tmp_path):
    path = tmp_path / "lies"
    with TFRecordWriter(path) as writer:
        writer.write(b"record")
    from reincarnate.datasets.rlds.tfrecord import checksum

    head = struct.pack("<Q", 2**63)
    path.write_bytes(head + struct.pack("<I", checksum(head)) + path.read_bytes()[12:])
    with pytest.raises(ValueError, match="cut short"):
        list(read_records(path))


def test_without_is_terminal_the_discount_says_how_the_episode_ended(tmp_path):
    one = episode(np.random.default_rng(0), 0, size=3, terminal=True)

    def without(record):
        fields = tf_example.decode(record)
        get = {1: tf_example.byte_rows, 2: tf_example.floats, 3: tf_example.ints}
        columns = {name: get[field.kind](field) for name, field in fields.items() if name != "steps/is_terminal"}
        columns["steps/discount"] = np.array([1, 1, 0, 0], np.float32)
        return tf_example.encode(columns)

    _folder(tmp_path / "log", [one], *WAYS["bytes"], change=without)
    (got,) = read(tmp_path / "log")
    assert got.steps.is_terminal.tolist() == [False, False, False, True]
