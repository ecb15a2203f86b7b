"""Files that lie: nothing in them runs, is written or fills the memory, and each is refused in one sentence."""

import io
import json
import lzma
import os
import pickle
import struct
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from reincarnate.datasets import pickled
from reincarnate.datasets.teachers import formats, torch_file, zipped

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "tests" / "fixtures" / "foreign"


class Payload:
    """An attacker's payload for the unpickler."""

    def __init__(self, what, *given):
        self.what, self.given = what, given

    def __reduce__(self):
        return self.what, self.given


def zipped_up(*members, kind=zipfile.ZIP_STORED):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", kind) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return made.getvalue()


def torch_zip(program, *storages):
    return zipped_up(("a/data.pkl", program), *((f"a/data/{n}", storage) for n, storage in enumerate(storages)))


def tensor(kind="torch FloatStorage", key=b"0", numel=4, offset=0, size=(2, 2), stride=(2, 1)):
    """Return the pickle of {"w": a tensor}, as torch writes it, with these numbers."""

    def number(value):
        data = value.to_bytes((value.bit_length() // 8) + 1, "little", signed=True)
        return b"\x8a" + bytes([len(data)]) + data

    def tuple_of(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    module, name = kind.split(" ")
    storage = b"(\x8c\x07storagec" + f"{module}\n{name}\n".encode() + b"\x8c" + bytes([len(key)]) + key
    storage += b"\x8c\x03cpu" + number(numel) + b"tQ"
    rebuilt = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + number(offset) + tuple_of(size) + tuple_of(stride)
    return b"\x80\x02}\x8c\x01w" + rebuilt + b"\x89ccollections\nOrderedDict\n)RtRs."


FOUR = np.arange(4, dtype=np.float32).tobytes()


def test_a_tensor_is_read():
    np.testing.assert_array_equal(torch_file.read(torch_zip(tensor(), FOUR))["w"], [[0, 1], [2, 3]])
    turned = torch_file.read(torch_zip(tensor(size=(2, 2), stride=(1, 2)), FOUR))["w"]
    np.testing.assert_array_equal(turned, [[0, 2], [1, 3]])
    assert not turned.flags.writeable
    assert torch_file.read(torch_zip(tensor(size=(0, 2)), FOUR))["w"].shape == (0, 2)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (torch_zip(tensor(numel=5), FOUR), "size differs from the stated one"),
        (torch_zip(tensor(offset=1), FOUR), "larger than its storage"),
        (torch_zip(tensor(offset=-1), FOUR), "impossible shape"),
        (torch_zip(tensor(stride=(-2, 1)), FOUR), "impossible shape"),
        (torch_zip(tensor(stride=(2,)), FOUR), "impossible shape"),
        (torch_zip(tensor(size=(2**62, 2**62), stride=(0, 0)), FOUR), "larger than its storage"),
        (torch_zip(tensor(size=(10**6,), stride=(0,)), FOUR), "larger than its storage"),
        (torch_zip(tensor(size=(0, 2**62)), FOUR), "larger than its storage"),
        (torch_zip(tensor(size=(1,) * 9, stride=(1,) * 9), FOUR), "impossible shape"),
        (torch_zip(tensor(), FOUR[:-1]), "size differs from the stated one"),
        (torch_zip(tensor(key=b"../x"), FOUR), "a storage of an unknown kind"),
        (torch_zip(tensor(key=b"7"), FOUR), "no member 'a/data/7'"),
        (torch_zip(tensor(kind="torch QInt8Storage"), FOUR), "names 'torch.QInt8Storage'"),
        (torch_zip(tensor(kind="posix system"), FOUR), "names 'posix.system'"),
        (torch_zip(pickle.dumps({"w": Payload(os.system, "touch hacked")})), "names 'posix.system'"),
        (torch_zip(pickle.dumps({"w": Payload(eval, "1")})), "names 'builtins.eval'"),
        (torch_zip(b"\x80\x02(lp0\n."), "operation LIST, which no file of weights needs"),
        (torch_zip(b"\x80\x02c" + b"x" * 10**4 + b"\ny\n."), "names 'xxxxx"),
        (torch_zip(b"\x80\x02c" + b"x" * 10**6 + b"\ny\n."), "not a pickle"),
        (torch_zip(b"\x80\x02X" + struct.pack("<I", 10**6) + b"x" * 10**6 + b"."), "not a pickle"),
        (torch_zip(b""), "cut short"),
        (zipped_up(("a/data.pkl", b"N."), ("b/data.pkl", b"N.")), "not a file of torch.save"),
        (zipped_up(("a/data.pkl", b"N."), ("a/byteorder", b"big")), "big-endian"),
        (
            b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.",
            "not a pickle",
        ),  # torch before 1.6, cut
    ],
)
def test_a_torch_file_that_lies_is_refused(tmp_path, monkeypatch, data, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=says) as caught:
        torch_file.read(data)
    assert len(str(caught.value)) < 300 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_no_pickle_is_run(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    for payload in (Payload(os.system, "touch hacked"), Payload(exec, "open('hacked', 'w')"), Path("x")):
        content = {"online_params": {}, "state": [payload]}
        (tmp_path / "ckpt.7").write_bytes(pickle.dumps(content, protocol))
        with pytest.raises(ValueError, match="names '.*', which stored weights do not need"):
            formats.read(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ckpt.7"]


def test_a_pickle_of_itself_and_of_a_billion_of_itself():
    loop = pickled.read(b"\x80\x04}\x94\x8c\x01ah\x00s.", lambda name: False)
    assert loop["a"] is loop
    laughs = (
        b"\x80\x04"
        + b"]\x94"
        + b"".join(b"](" + b"h" + bytes([n]) + (b"h" + bytes([n])) * 9 + b"e\x94" for n in range(30))
        + b"."
    )
    with pytest.raises(ValueError, match="more values than any network"):
        torch_file.read(torch_zip(laughs))
    with pytest.raises(ValueError, match="more operations than any network"):
        pickled.read(b"\x80\x04" + b"N" * 10**6 + b".", lambda name: False)
    keys = b"".join(b"\x8a\x09" + (n * (2**61 - 1)).to_bytes(9, "little") + b"N" for n in range(9))
    with pytest.raises(ValueError, match="neither text nor small numbers"):
        pickled.read(b"\x80\x04}(" + keys + b"u.", lambda name: False)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a zip file"),
        (zipped_up(("a", b"x"))[:-1], "cut short"),
        (zipped_up(("../a", b"x")), "leads outside its folder, '../a'"),
        (zipped_up(("a/../../b", b"x")), "leads outside"),
        (zipped_up(("/etc/a", b"x")), "leads outside"),
        (zipped_up(("..\\a", b"x")), "leads outside"),
        (zipped_up(("C:a", b"x")), "leads outside"),
        (zipped_up(*((f"{n}", b"") for n in range(1001))), "more than 1000 members"),
        (b"PK\x01\x02" * 2000, "more than 1000 members"),
    ],
    ids=range(9),  # not of their bytes, which hold the time: two processes must collect the same names
)
def test_a_zip_that_leads_outside_is_refused(data, says):
    with pytest.raises(ValueError, match=says):
        zipped.opened(data)


def test_a_zip_bomb_is_refused_before_it_goes_off(tmp_path):
    bomb = zipped_up(("data", b"{}"), ("policy.pth", bytes(400 * 2**20)), kind=zipfile.ZIP_DEFLATED)
    (tmp_path / "model.zip").write_bytes(bomb)
    tracemalloc.start()
    with pytest.raises(ValueError, match="'policy.pth' has more than 50331648 bytes"):
        formats.read(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(bomb) < 2**20 and peak < 2 * len(bomb) + 200 * 2**20


def test_members_that_cannot_be_read_are_named():
    whole = bytearray(zipped_up(("a", b"hello")))
    whole[whole.index(b"hello")] ^= 1
    with pytest.raises(ValueError, match="'a' is damaged"):
        zipped.member(zipped.opened(bytes(whole)), "a")
    with pytest.raises(ValueError, match="compressed in a way that cannot be read"):
        zipped.member(zipped.opened(zipped_up(("a", b"x"), kind=zipfile.ZIP_LZMA)), "a")
    locked = bytearray(zipped_up(("a", b"x")))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(signature) + flags] |= 1
    with pytest.raises(ValueError, match="'a' is damaged"):
        zipped.member(zipped.opened(bytes(locked)), "a")


def sb3(tmp_path, **changed):
    """Return the model of a fixture with some of its settings replaced, or the whole member by bytes."""
    data = lzma.decompress(next((FIXTURES / "sb3-ppo-relu").glob("*.xz")).read_bytes())
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    settings = {**json.loads(members["data"]), **changed.pop("settings", {})}
    members["data"] = json.dumps({k: v for k, v in settings.items() if v is not None}).encode()
    (tmp_path / "model.zip").write_bytes(zipped_up(*{**members, **changed}.items()))
    return tmp_path


BOX = {":type:": "<class 'gymnasium.spaces.box.Box'>", "dtype": "float32", "_shape": [4]}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"data": b"[" * 10**5}, "'data' is not JSON"),
        ({"data": b"[]"}, "not a JSON object of settings"),
        ({"data": b" " * 5 * 2**20}, "'data' has more than"),
        ({"settings": {"action_space": None}}, "actions are not discrete"),
        ({"settings": {"action_space": {**BOX}}}, "actions are not discrete"),
        ({"settings": {"action_space": {":type:": "<class 'x.Discrete'>", "n": "1e9"}}}, "how many actions"),
        ({"settings": {"action_space": {":type:": "<class 'x.Discrete'>", "n": "3"}}}, "outputs"),
        ({"settings": {"observation_space": {":type:": 3}}}, "not arrays"),
        ({"settings": {"observation_space": {**BOX, "_shape": [-4]}}}, "what shape"),
        ({"settings": {"observation_space": {**BOX, "_shape": {"a": 1}}}}, "what shape"),
        ({"settings": {"observation_space": {**BOX, "_shape": [4, 84, 84], "dtype": "uint8"}}}, "not one for them"),
        ({"settings": {"policy_kwargs": {"activation_fn": "<class 'torch.nn.Mish'>"}}}, "'Mish'; those that can"),
        ({"settings": {"policy_kwargs": {"features_extractor_class": "<class 'me.Mine'>"}}}, "its code is not run"),
        ({"settings": {"policy_class": {"__module__": "sb3_contrib.common.maskable.policies"}}}, "MaskablePPO"),
        ({"settings": {"policy_class": {"__module__": "__main__"}}}, "of its author's own, of '__main__'"),
        ({"policy.pth": torch_zip(pickle.dumps(Payload(os.system, "touch hacked")))}, "names 'posix.system'"),
        ({"policy.pth": torch_zip(b"\x80\x04]."), "settings": {}}, "something other than named tensors"),
    ],
)
def test_a_model_of_stable_baselines3_that_lies_is_refused(tmp_path, monkeypatch, changed, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=says):
        formats.read(sb3(tmp_path, **changed))
    assert [path.name for path in tmp_path.iterdir()] == ["model.zip"]


def test_normalised_observations_and_two_models_are_refused(tmp_path):
    formats.read(sb3(tmp_path))
    (tmp_path / "vec_normalize.pkl").write_bytes(b"")
    with pytest.raises(ValueError, match="normalised by vec_normalize.pkl, which cannot be read: it is cut short"):
        formats.read(tmp_path)
    (tmp_path / "other.zip").write_bytes(b"")
    with pytest.raises(
        ValueError, match="holds 2 teachers of stable-baselines3: choose one with --file: model.zip, other.zip"
    ):
        formats.read(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "7", '{"architecture": 7}', '{"architecture": {"name": 7}}', "[" * 10**5])
def test_a_config_of_wrong_types_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match="config.json does not say what the network is"):
        formats.config_of(tmp_path)


@pytest.mark.slow
def test_damaged_files_of_every_kind_are_read_or_refused():
    """A short run of tests/fuzz/readers.py, which also watches time, memory and deeds."""
    words = [sys.executable, str(ROOT / "tests" / "fuzz" / "readers.py"), "60"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".src"), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    tallies = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(tallies) == 8 and sum(tally["tried"] for tally in tallies) == 7 * 60 + 6
    assert all(tally["tried"] == tally["read"] + tally["refused"] for tally in tallies)


def test_a_dopamine_array_that_lies_is_refused(tmp_path):
    good = pickle.dumps({"online_params": {"params": {"w": np.zeros((2, 3), np.float32)}}}, 2)
    assert struct.pack("<B", 2) in good
    for wrong, says in (
        (good.replace(b"K\x02K\x03\x86", b"K\x02K\x04\x86"), "size does not match its shape"),
        (good.replace(b"X\x02\x00\x00\x00f4", b"X\x02\x00\x00\x00O8"), "a type that is not a plain number"),
        (good.replace(b"X\x01\x00\x00\x00<", b"X\x01\x00\x00\x00>"), "big-endian"),
    ):
        assert wrong != good
        (tmp_path / "ckpt.1").write_bytes(wrong)
        with pytest.raises(ValueError, match=says):
            formats.read(tmp_path)


def test_a_file_of_torch_before_1_6_is_read_and_a_cut_one_refused():
    weight = np.arange(6, dtype="<f4").reshape(2, 3)
    tree = b"\x80\x02ccollections\nOrderedDict\n)RX\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n"
    tree += b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x007X\x03\x00\x00\x00cpuK\x06NtQ"
    tree += b"K\x00K\x02K\x03\x86K\x03K\x01\x86\x89ccollections\nOrderedDict\n)RtRs."
    machine = pickle.dumps({"protocol_version": 1001, "little_endian": True}, 2)
    head = torch_file.LEGACY + pickle.dumps(1001, 2) + machine + tree + pickle.dumps(["7"], 2)
    data = head + (6).to_bytes(8, "little") + weight.tobytes()
    assert np.array_equal(torch_file.read(data)["w"], weight)
    for wrong, says in (
        (data[:-1], "cut short"),
        (data[:40], "cut short"),
        (data.replace(b"K\x02K\x03\x86", b"K\x09K\x03\x86"), "larger than its storage"),
        (data.replace(b"_rebuild_tensor_v2", b"_rebuild_tensor_v9"), "stored weights do not need"),
        (data.replace(machine, pickle.dumps({"little_endian": False}, 2)), "from a little-endian machine"),
    ):
        with pytest.raises(ValueError, match=says):
            torch_file.read(wrong)


@pytest.mark.parametrize(
    ("name", "data", "again"),
    [
        ("x.pkl", pickle.dumps({"a": 1})[:-4], True),  # cut short
        ("x.msgpack", b"\xde\x00\x02" + b"\x01\x02" * 2, False),  # whole, and of something else
        ("x.pkl", b"\x80\x04]}b.", True),  # states of a list, which no pickle of plain values has
    ],
)
def test_another_download_is_advised_only_where_it_may_help(tmp_path, name, data, again):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match="not a network of flax") as told:
        formats.read(tmp_path)
    assert ("download it again" in str(told.value)) is again, str(told.value)
