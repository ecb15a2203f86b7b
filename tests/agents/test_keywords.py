"""Methods by name and keyword, and what is said when they are wrong."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reincarnate.agents import keywords
from reincarnate.agents.method import Progress
from reincarnate.agents.methods.dqn import dqn
from reincarnate.agents.methods.qdagger import qdagger
from reincarnate.agents.ranges import Range
from reincarnate.benchmark.cli.main import app
from reincarnate.benchmark.tasks.task import find
from reincarnate.benchmark.training.preset_choice import check_kind

NOW = Progress(0.0, 0.5, 1_000, 0.0, 0.0, None)
THIRD_PARTY = '''
from reincarnate.agents.methods.dqn import dqn

from typing import Annotated

from reincarnate.agents.ranges import Range, Share


def lone(size: int, share: float = 0.5):
    return dqn(batch_size=size, log_share=lambda progress: share)

def ranged(base=dqn, share: Share | None = 0.5, level: Annotated[int, Range(2, 5)] = 3, n_step: int = 0, **numbers):
    """Make it.

    `share`: of a batch;
    `level`, `n_step`: both are said at once.

    This is about nothing: here.
    """
    return base(**numbers)

def beside(
    size: int = 3,  # rows of a batch
    plain: "Unknown" = 1,
):
    """Say nothing of its keywords."""
    return dqn(batch_size=size)

def misspelt():
    return dqn()._replace(lose=None)


def wrong():
    return 3
'''


@pytest.fixture
def third_party(tmp_path, monkeypatch):
    """Return a module outside the package, whose method has no base and passes nothing on."""
    (tmp_path / "third_party.py").write_text(THIRD_PARTY)
    monkeypatch.syspath_prepend(tmp_path)
    yield "third_party:lone"
    sys.modules.pop("third_party", None)


def test_names_are_quick_and_explained():
    """Listing the methods must not import JAX."""
    code = "import sys; from reincarnate.agents.keywords import names; print(*names()); assert 'jax' not in sys.modules"
    path = str(Path(__file__).parents[2] / ".src")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": path})
    assert done.stdout.split() == sorted(keywords.names()), done.stderr
    assert keywords.names()["qdagger"].startswith("QDagger: distil the teacher on its log")
    assert all(line.endswith(".") for line in keywords.names().values())


def test_known_is_own_then_base_then_numbers():
    there = keywords.known(qdagger)
    assert (there["weight"], there["explore"], there["adam_epsilon"], there["batch_size"]) == (None, 0.0, 1.5e-4, 32)
    assert not {"base", "numbers", "loss", "optimizer", "scored", "weaned"} & set(there)
    assert keywords.known(keywords.find("pbt"))["slow"] == 0.1  # of its base qdagger
    assert "slow" not in keywords.known(keywords.find("pbt"), dqn)
    assert set(keywords.known(lambda size, share=0.5: None)) == {"size", "share"}


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("batch_size", "64", 64),
        ("batch_size", " 1_024 ", 1024),
        ("replay_capacity", "1e5", 100_000),
        ("n_step", 5.0, 5),
        ("discount", "0.5", 0.5),
        ("offline_share", 0, 0.0),
    ],
)
def test_text_becomes_the_type_of_the_default(key, text, value):
    read = getattr(keywords.make("rehearsal", {key: text}), key)
    assert read == value and type(read) is type(value)


def test_a_keyword_of_old_records_is_still_read():
    assert keywords.make("dagger", {"offline": "0.25"}).offline_share == 0.25
    with pytest.raises(ValueError, match="offline is the former name of offline_share: give only offline_share"):
        keywords.make("dagger", {"offline_share": 0.5, "offline": 0.25})
    own = lambda offline: dqn(discount=offline)  # noqa: E731  (a keyword of that name that is a method's own)
    assert keywords._renamed({"offline": 1}, keywords.known(own)) == {"offline": 1}


@pytest.mark.parametrize(("text", "kept"), [("false", False), ("True", True), ("0", False), (False, False)])
def test_switches(text, kept):
    assert keywords.make("fine_tuning", {"keep_log": text}).keep_log is kept


def test_a_base_by_name():
    method = keywords.make("rehearsal", {"base": "qdagger", "deadline": "0.3", "share": "0.25"})
    assert method.scored and method.log_share(NOW) == 0.25
    assert keywords.make("rehearsal", {"base": qdagger}).scored and not keywords.make("rehearsal", {}).scored


def test_a_third_partys_method(third_party):
    method = keywords.make(third_party, {"size": "8", "share": "0.1"})  # a size without a default stays text
    assert method.batch_size == "8" and method.log_share(NOW) == 0.1
    with pytest.raises(ValueError, match="needs a value for size"):
        keywords.make(third_party, {})
    with pytest.raises(ValueError, match="no keyword n_step: it takes share, size"):
        keywords.make(third_party, {"n_step": 3})
    with pytest.raises(ValueError, match=r"third_party:misspelt sets \['lose'\], which a Method does not have: .*loss"):
        keywords.make("third_party:misspelt", {})
    with pytest.raises(ValueError, match="third_party:wrong returned int: a factory must return a Method"):
        keywords.make("third_party:wrong", {})


def test_ranges_and_meanings_of_a_third_party(third_party):
    factory = keywords.find("third_party:ranged")
    rows = {row.name: row for row in keywords.explained(factory)}
    assert rows["share"][1:] == (0.5, Range(0, 1), "of a batch")
    assert rows["level"][1:] == (3, Range(2, 5), "both are said at once.")
    assert rows["n_step"][1:] == (0, Range(1), "both are said at once.")  # the range is that of Method's number
    assert rows["batch_size"][1:] == (32, Range(1), "transitions of an update")
    assert rows["learning_rate"].meaning == "learning rate of Adam." and "base" not in rows
    wrong = (("share", 7, "from 0 to 1"), ("level", "6", "from 2 to 5"), ("n_step", 0, "from 1 to inf"))
    for key, value, words in wrong:
        with pytest.raises(ValueError, match=f"{key}={value} is out of range: give a value {words}"):
            keywords.make("third_party:ranged", {key: value})
    assert keywords.make("third_party:ranged", {"level": 5, "share": "1"}).n_step == 3
    alone = keywords.explained(keywords.find("third_party:beside"))  # an annotation that nobody knows does no harm
    assert [tuple(row) for row in alone] == [("size", 3, None, "rows of a batch"), ("plain", 1, None, "")]
    assert keywords.about(factory).startswith("Make it.\n\n`share`: of a batch;")  # its module says nothing


@pytest.mark.parametrize("name", sorted(keywords.names()))
def test_every_keyword_of_the_package_has_a_meaning_and_every_number_a_range(name):
    rows = keywords.explained(keywords.find(name))
    assert [row.name for row in rows if not row.meaning] == []
    assert [row.name for row in rows if type(row.default) in (int, float) and row.range is None] == []
    for row in rows:
        assert row.range is None or row.default is None or row.range.least <= row.default <= row.range.most, row


def test_a_method_is_explained_on_the_command_line(third_party):
    told = CliRunner().invoke(app, ["methods", "qdagger"]).output
    assert "(Agarwal et al., 2022)" in " ".join(told.split()) and "qdagger.py" in told.splitlines()[-1]
    assert "--set slow=0.1, from 0 to 1: factor on the learning rate once weaned." in told
    assert "--set batch_size=32, from 1 to inf: transitions of an update" in told
    told = CliRunner().invoke(app, ["methods", "third_party:ranged"]).output
    assert "--set level=3, from 2 to 5: both are said at once." in told and "third_party.py" in told


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("qdager", {}, "no method 'qdager': did you mean qdagger"),
        ("zzz", {}, "no method 'zzz'.*kickstarting.*qdagger.*package.module:factory"),
        ("../secrets", {}, "no method"),
        ("", {}, "no method"),
        ("no.such.module:thing", {}, "cannot be imported: No module named 'no'; it is looked for in this folder"),
        (":thing", {}, "cannot be imported"),
        (".thing:thing", {}, "cannot be imported: its name starts with a dot"),
        ("math:thing", {}, "no factory 'thing'"),
        ("math:pi", {}, "no factory 'pi'"),
        ("qdagger", {"temprature": "1"}, "no keyword temprature: did you mean temperature\\?"),
        ("qdagger", {"heat": "1"}, "no keyword heat: it takes.*temperature"),
        ("qdagger", {"loss": "1"}, "no keyword loss"),
        ("qdagger", {"scored": "false"}, "no keyword scored"),
        ("pbt_small", {"base": "dqn", "deadline": "0.5"}, "no keyword deadline"),
        ("qdagger", {"base": "nothing"}, "no method 'nothing'"),
        ("dqn", {"base": "dqn"}, "dqn has no base"),
        ("dqn", {"batch_size": "many"}, "batch_size=many cannot be read: give a whole number, such as.*32"),
        ("dqn", {"batch_size": "1.5"}, "a whole number"),
        ("dqn", {"batch_size": "0"}, "batch_size=0 is out of range: give a value from 1 to inf"),
        ("dqn", {"batch_size": True}, "a whole number"),
        ("dqn", {"discount": "1.1"}, "discount=1.1 is out of range: give a value from 0 to 1"),
        ("dqn", {"discount": "nan"}, "give a number"),
        ("dqn", {"learning_rate": "-1"}, "out of range"),
        ("dqn", {"double": "maybe"}, "true or false"),
        ("cql", {"temperature": "0"}, "out of range"),
        ("surgery", {"width": "0.5"}, "from 1 to inf"),
        ("rlpd", {"subset": "9", "members": "8"}, "from 1 to 8"),
    ],
)
def test_what_is_wrong_is_said(name, settings, words):
    with pytest.raises(ValueError, match=words) as error:
        keywords.make(name, settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("text", "expected"), [("2.5", 2.5), ("None", 3.0), ("", 3.0)])
def test_a_number_of_the_base_may_be_given_or_left_to_it(text, expected):
    now = Progress(1.0, 0.0, 1.0, 0.0, 0.0, None)
    assert keywords.make("qdagger", {"weight": text}).guidance(now) == expected
    with pytest.raises(ValueError, match="weight=x cannot be read: give a number"):
        keywords.make("qdagger", {"weight": "x"})
    with pytest.raises(ValueError, match="deadline=2 is out of range"):
        keywords.make("qdagger", {"deadline": "2"})


def test_what_ships_is_told_without_reading_a_source(monkeypatch):
    """Seeds that train together ask from their threads, and Python 3.11 parses in one at a time only."""
    wanted = tuple(keywords.names())
    monkeypatch.setattr(keywords.ast, "parse", lambda *_: pytest.fail("a source was parsed"))
    assert keywords.shipped() == wanted
    assert keywords.find("dqn") and check_kind(find("minatar/breakout"), False, "dqn", "") is None
    with pytest.raises(ValueError, match="did you mean rainbow"):
        keywords.find("rainbw")


def test_a_method_is_found_in_the_folder_where_the_command_is_typed(tmp_path, monkeypatch):
    (tmp_path / "own_method_here.py").write_text("def mine(base=None, weight: float = 1.0):\n    return base\n")
    (tmp_path / "own_method_broken.py").write_text("import nowhere_at_all\n")
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder])
    with pytest.raises(ValueError, match="No module named 'own_method_here'; it is looked for in this folder"):
        keywords.find("own_method_here:mine")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert keywords.known(keywords.find("own_method_here:mine")) == {"weight": 1.0} and sys.path == before
    with pytest.raises(ValueError, match="cannot be imported: No module named 'nowhere_at_all'$"):
        keywords.find("own_method_broken:mine")
