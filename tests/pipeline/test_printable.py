from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.printable import printable


def test_what_a_terminal_would_obey_is_escaped_and_letters_of_any_script_stay() -> None:
    assert printable("\x1b[2J\x07\x9b\u202e\nTür 门") == r"\x1b[2J\x07\x9b\u202e\nTür 门"


def test_half_a_character_is_escaped_too() -> None:
    assert printable("gate\udcff") == r"gate\udcff"


@given(st.text(st.characters(codec=None)), st.integers(4, 50))
def test_the_result_is_printable_and_not_longer_than_asked_for(text: str, longest: int) -> None:
    short = printable(text, longest)
    assert len(short) <= longest
    assert short.isprintable()
    short.encode()
