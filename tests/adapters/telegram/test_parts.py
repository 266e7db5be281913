"""A reply as messages."""

from __future__ import annotations

import pytest

from adapters.telegram.parts import Picture, Pictures, Words, parts
from bot.errors import SendError
from bot.model import Choice, Reply

from .stage import offer, person


def reply(text: str = "", **more: object) -> Reply:
    return Reply(customer=person(1), text=text, **more)  # type: ignore[arg-type] # shorter than naming them all


def test_choices_stand_under_the_last_words() -> None:
    choices = (Choice(id="y", label="Yes"), Choice(id="n", label="No"))
    long = "好。" * 3000
    first, last = parts(reply(long, choices=choices), [], {})
    assert isinstance(first, Words)
    assert isinstance(last, Words)
    assert (first.choices, last.choices) == ((), choices)
    assert first.text + last.text == long


def test_words_of_equal_parts_get_the_choices_once() -> None:
    choices = (Choice(id="y", label="Yes"),)
    made = parts(reply("好" * 8192, choices=choices), [], {})
    assert [part.choices for part in made if isinstance(part, Words)] == [(), choices]


def test_one_product_is_its_picture_with_name_and_price() -> None:
    made = parts(reply("Here it is.", offers=(offer("7", "7.jpg"),)), [], {"7": b"jpeg"})
    assert made == (Words(text="Here it is."), Pictures(items=(Picture(data=b"jpeg", caption="cup 7 ¥19.9"),)))


def test_several_products_are_lines_and_an_album() -> None:
    made = parts(reply("Two.", offers=(offer("7", "7.jpg"), offer("8", "8.jpg"))), [], {"7": b"a", "8": b"b"})
    assert made[0] == Words(text="Two.\n\ncup 7 ¥19.9\ncup 8 ¥19.9")
    assert made[1] == Pictures(
        items=(Picture(data=b"a", caption="cup 7 ¥19.9"), Picture(data=b"b", caption="cup 8 ¥19.9"))
    )


def test_a_product_without_a_picture_is_a_line() -> None:
    assert parts(reply(offers=(offer("7"),)), [], {}) == (Words(text="cup 7 ¥19.9"),)


def test_pictures_go_out_ten_at_a_time() -> None:
    made = parts(reply("See."), [b"x"] * 21, {})
    assert [len(part.items) for part in made if isinstance(part, Pictures)] == [10, 10, 1]


@pytest.mark.parametrize(("id_", "size"), [("", 0), ("好" * 22, 66)])
def test_a_choice_that_no_button_can_give_back_is_an_error(id_: str, size: int) -> None:
    with pytest.raises(SendError, match=f"{size} bytes"):
        parts(reply("?", choices=(Choice(id=id_, label="Yes"),)), [], {})


def test_a_choice_of_64_bytes_is_taken() -> None:
    assert parts(reply("?", choices=(Choice(id="x" * 64, label="Yes"),)), [], {})


def test_choices_need_words() -> None:
    with pytest.raises(SendError, match="no words"):
        parts(reply(" ", choices=(Choice(id="y", label="Yes"),)), [b"x"], {})


def test_an_empty_reply_has_no_parts() -> None:
    assert parts(reply("\n"), [], {}) == ()
