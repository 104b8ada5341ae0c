"""The user's settings: whatever the file holds, it is a sentence and the defaults, no crash."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.tui import settings
from lab.tui.keymap import keymap_of
from lab.tui.keys import KEYS, own_keys, press, shown_key, table
from lab.tui.paint import Look
from lab.tui.settings import Settings, read, write


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "config" / "lab.toml"


def put(place: Path, text: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


def test_it_lies_in_the_config_directory_and_no_test_has_the_real_one() -> None:
    assert settings.path().is_relative_to(os.environ["XDG_CONFIG_HOME"])
    assert not settings.path().is_relative_to(Path.home() / ".config")


def test_what_is_not_there_is_the_defaults_without_a_word(place: Path) -> None:
    assert read(place) == settings.Read()
    assert read(place).settings == Settings()


def test_what_was_written_is_read(place: Path) -> None:
    changes = {"theme": "lab-mono", "ascii": True, "colouring": "lag", "order": "term",
               "descending": True, "speed": 0.25}  # fmt: skip
    write(place, changes)
    found = read(place)
    assert found.words == ()
    assert found.settings == Settings(**changes)  # type: ignore[arg-type]
    write(place, {"theme": "lab-light"})
    assert read(place).settings.theme == "lab-light"
    assert read(place).settings.order == "term"
    assert os.listdir(place.parent) == ["lab.toml"], "no half of it lies beside"


def test_what_a_person_wrote_stays(place: Path) -> None:
    text = '# mine\ntheme = "lab-dark" # old\n\n# keys I like\n[keys]\nkill = "Q"  # harsh\n'
    put(place, text)
    write(place, {"theme": "lab-mono", "ascii": True})
    assert place.read_text() == (
        '# mine\ntheme = "lab-mono"\n\n# keys I like\nascii = true\n[keys]\nkill = "Q"  # harsh\n'
    )
    assert read(place).settings.keys == {"kill": "Q"}


def test_a_link_to_another_file_stays_one(place: Path, tmp_path: Path) -> None:
    real = put(tmp_path / "dotfiles" / "lab.toml", 'theme = "lab-mono"\n')
    place.parent.mkdir()
    place.symlink_to(real)
    write(place, {"order": "lag"})
    assert place.is_symlink()
    assert read(real).settings == Settings(theme="lab-mono", order="lag")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("theme = ", "is damaged"),
        ("version = 2\ntheme = 7", "of another lab (version 2, not 1)"),
        ('version = "x"', "of another lab"),
        ("\x00", "is damaged"),
    ],
)
def test_a_file_that_is_not_understood_is_left_alone(place: Path, text: str, says: str) -> None:
    put(place, text)
    found = read(place)
    assert found.settings == Settings()
    assert len(found.words) == 1
    assert says in found.words[0]
    write(place, {"theme": "lab-mono"})
    assert place.read_text() == text


def test_bytes_and_a_directory_are_no_settings(place: Path) -> None:
    put(place, "").write_bytes(b"\xff\xfe")
    assert "cannot be read" in read(place).words[0]
    place.unlink()
    place.mkdir()
    assert "cannot be read" in read(place).words[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('theme = "pink"', "theme is one of"),
        ("ascii = 1", "ascii is one of false, true, not 1"),
        ("speed = true", "speed is one of"),
        ("speed = inf", "speed is one of"),
        ("order = []", "order is one of"),
        ("theem = 1", "theem is no setting"),
        ("keys = 1", "keys is a table of texts"),
        ("[keys]\nkill = 1", "keys is a table of texts"),
    ],
)
def test_what_is_wrong_is_told_and_the_rest_holds(place: Path, text: str, says: str) -> None:
    put(place, f'colouring = "lag"\n{text}\n')
    found = read(place)
    assert found.settings == Settings(colouring="lag")
    assert len(found.words) == 1
    assert says in found.words[0]
    assert str(place) in found.words[0]


def test_what_cannot_be_written_is_an_error_of_the_system(place: Path, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file, where a directory should be")
    with pytest.raises(OSError, match="config"):
        write(place, {"theme": "lab-mono"})


@given(text=st.text())
def test_no_text_makes_it_raise(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.getbasetemp() / "any.toml"
    place.write_text(text, encoding="utf-8", newline="")
    before = place.read_bytes()
    found = read(place)
    assert found.words or found.is_ours
    write(place, {"theme": "lab-mono"})
    after = read(place)
    if place.read_bytes() == before:  # It is not understood, or has no place for a line.
        assert after == found
    else:
        assert after.settings.theme == "lab-mono"


# Keys of one's own.


def test_keys_are_signs_or_names(place: Path) -> None:
    keymap, said = keymap_of({"kill": "Q", "help": "f1, $", "undo": "ctrl+z"})
    assert said == []
    assert dict(keymap) == {"kill": "Q", "help": "f1,dollar_sign", "undo": "ctrl+z"}
    own = {key.id: key for key in table(keymap)}
    assert own["help"].shown == "f1 $"
    assert own["pause"].keys == "p"
    assert press(Look(keymap=keymap), "kill") == "Q"
    assert press(Look(), "kill") == "K"


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"murder": "Q"}, "nothing is called murder"),
        ({"kill": "QQ"}, '"QQ" is no key'),
        ({"kill": ""}, "is no key"),
        ({"kill": "hyper+q"}, "is no key"),
        ({"kill": "p"}, "kill: p is the key of pause already"),
        ({"kill": "?"}, "kill: ? is the key of help already"),
        ({"kill": "ctrl+c"}, "the key of leaving already"),
        ({"kill": "Q", "pause": "Q"}, "pause: Q is the key of kill already"),
    ],
)
def test_what_is_no_key_or_another_s_is_told(wanted: dict[str, str], says: str) -> None:
    keymap, said = keymap_of(wanted)
    assert says in said[0]
    assert len(said) == 1
    assert len(keymap) == len(wanted) - 1


def test_a_sentence_of_the_judge_names_the_users_key() -> None:
    look = Look(keymap=(("restart", "R"), ("record", "r")))
    mends = "no quorum 2.1 s · 1/3 voters live · r on n2 or n3 brings it back"
    assert own_keys(look, mends) == mends.replace(" r on", " R on")
    assert own_keys(Look(), mends) == mends
    assert own_keys(look, "ended · r starts it again") == "ended · R starts it again"


def test_two_may_change_places() -> None:
    keymap, said = keymap_of({"kill": "p", "pause": "K"})
    assert (dict(keymap), said) == ({"kill": "p", "pause": "K"}, [])


names = st.one_of(st.sampled_from([key.id for key in KEYS]), st.text(max_size=4))
keys = st.one_of(st.sampled_from([key.keys for key in KEYS]), st.text(max_size=6))


@given(wanted=st.dictionaries(names, keys, max_size=8))
def test_no_wish_leaves_two_with_one_key_or_one_with_none(wanted: dict[str, str]) -> None:
    keymap, said = keymap_of(wanted)
    assert len(keymap) + len(said) == len(wanted)
    all_keys = [name for key in table(keymap) for name in key.keys.split(",")]
    assert len(all_keys) == len(set(all_keys))
    assert all(all_keys)
    assert all(shown_key(name) for name in all_keys)
