"""Every story must happen as it is written; `--rewrite` writes down what happens now."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.scenarios.runner import StoryError, run_scenario

STORIES = sorted((Path(__file__).parent / "stories").glob("*.txt"))


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_story(story: Path, rewrite: bool) -> None:
    happened = run_scenario(story.read_text())
    if rewrite:
        story.write_text(happened)
    assert happened == story.read_text()


@pytest.mark.parametrize("story", STORIES, ids=lambda path: path.stem)
def test_a_story_begins_with_the_sentence_that_it_tests(story: Path) -> None:
    title = re.match(r"((?:# .*\n)+)\n", story.read_text())
    assert title is not None
    assert re.search(r"\((?:§\d|figure \d|PROTOCOL |DESIGN |fault \d)[^)]*\)", title[1]), title[1]


def test_an_unknown_word_is_an_error_with_its_line() -> None:
    with pytest.raises(StoryError, match="line 4: unknown word 'dance'"):
        run_scenario("# A title.\n\ncluster n1 n2\ndance n1\n----\n")


def test_a_word_used_wrongly_is_an_error_that_shows_how() -> None:
    with pytest.raises(StoryError, match=r"line 4: 'timeout n1 n2'.*`timeout n1`"):
        run_scenario("# A title.\n\ncluster n1 n2\ntimeout n1 n2\n----\n")


def test_what_was_told_before_is_replaced() -> None:
    story = "# A title.\n\ncluster n1\n----\n"
    happened = run_scenario(story)
    assert happened == story + "n1 follower term=0 last=0/1\n"
    assert run_scenario(happened.replace("follower", "leader")) == happened
