"""Cards in a browser: tables, lists and code as such, everything escaped, links to harmless places, in linear time."""

import time

import pytest

from reincarnate.datasets.hub.server.markdown import render

EVIL = "<script>alert(1)</script>"


def test_a_card_as_it_is_written_for_a_teacher():
    made = render(
        "# ann/old\n\nA policy for `MinAtar/freeway`.\nTwo lines.\n\n## Score\n"
        "| policy | mean |\n|---|--:|\n| random | 0.3 |\n| **this one** | 56 |\n\n"
        "- teacher: `ann/t@1`\n  and more\n- log\n1. first\n\n```sh\nreincarnate run --out a\n\n# more\n```\nend"
    )
    assert "<h2>ann/old</h2><p>A policy for <code>MinAtar/freeway</code>.\nTwo lines.</p><h2>Score</h2>" in made
    assert '<th scope="col">policy</th><th scope="col">mean</th>' in made
    assert "<td>random</td><td>0.3</td>" in made and "<td><strong>this one</strong></td><td>56</td>" in made
    assert "<ul><li>teacher: <code>ann/t@1</code>\nand more</li><li>log</li><li>first</li></ul>" in made
    assert made.endswith("<pre>reincarnate run --out a\n\n# more</pre><p>end</p>")


def test_what_is_no_table_is_text():
    assert "<table" not in render("| a |\ntext\n\n|a|\n|b|")
    assert render("a\n| x |\n|---|\nb").count("<p>") == 2  # a table needs no empty line around it
    assert render("```\nnever closed") == "<pre>never closed</pre>"
    assert render("") == ""


@pytest.mark.parametrize(
    "place", ["{}", "# {}", "- {}", "|{}|\n|-|\n|{}|", "```{}\n{}\n```", "**{}**", "`{}`", "[{}](https://x/{})"]
)
def test_everything_is_escaped(place):
    for evil in (EVIL, '"onload=x', "<!--", "&lt;script&gt;"):
        made = render(place.replace("{}", evil))
        assert "<script" not in made and '"onload' not in made and "<!--" not in made
        assert ("&lt;" in made or "&quot;" in made or "&amp;lt;" in made) or place == "```{}\n{}\n```"


def test_links_lead_to_web_pages_or_to_this_hub():
    made = render("[paper](https://arxiv.org/abs/2206.01626) and [student](/ann/run)")
    assert made.count("<a href=") == 2 and 'href="/ann/run"' in made
    for address in ("javascript:alert(1)", "//other.example", "/\\other.example", "data:text/html,x", "replay.mp4"):
        assert "<a" not in render(f"[x]({address})"), address


@pytest.mark.parametrize(
    "text",
    ["[", "`", "*", "**", "|", "-", "|-", "#", "- ", "\n|", "|\n|-|\n", "[a](", "[a](/", "~~~", "\n- ", "\\|", " "],
)
def test_no_card_takes_long(text):
    card = (text * 128_000)[:128_000] + "x"
    begun = time.process_time()
    render(card)
    render(f"|{card}\n|{card}")
    assert time.process_time() - begun < 60.0  # it takes one; work that grows with the square would take minutes
