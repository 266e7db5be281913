"""How messages become pieces: what was rendered once is rendered so for ever."""

from __future__ import annotations

from inference.llama import chat
from inference.llama.chat import Control, Fork, Image, Words, Written
from tests.inference.llama.conftest import SYSTEM, assistant, photo, user


def test_a_prompt_forks_between_words_and_facts() -> None:
    pieces = list(chat.pieces((SYSTEM, user(photo(1), "多少钱？", facts="资料：\n杯子 9元"))))
    assert pieces[-3:] == [Words("\n资料：\n杯子 9元"), Control("<|im_end|>\n"), Control("<|im_start|>assistant\n")]
    assert pieces[-4] == Fork()
    assert pieces[4:8] == [Control("<|vision_start|>"), Image(photo(1)), Control("<|vision_end|>"), Words("多少钱？")]


def test_a_message_without_words_has_only_its_facts() -> None:
    pieces = list(chat.pieces((SYSTEM, user(facts="资料：无"))))
    assert pieces[3:] == [
        Control("<|im_start|>user\n"),
        Fork(),
        Words("资料：无"),
        Control("<|im_end|>\n"),
        Control("<|im_start|>assistant\n"),
    ]


def test_what_joins_stands_on_its_own_line_and_changes_nothing_before_it() -> None:
    alone = list(chat.opening(user("多少钱？")))
    joined = list(chat.opening(user("多少钱？", "有货吗？")))
    assert joined == [*alone, Words("\n有货吗？")]
    assert list(chat.opening(user("顾客：web zh\n", "你好")))[1:] == [Words("顾客：web zh\n"), Words("你好")]


def test_a_growing_conversation_begins_as_it_did() -> None:
    messages = (SYSTEM, user(photo(1), "多少钱？", facts="资料：无"), assistant("{}"), user("好的"))
    before = [piece for piece in chat.pieces(messages[:2]) if piece != Fork()]
    after = [piece for piece in chat.pieces(messages) if piece != Fork()]
    assert after[: len(before)] == before
    assert after[len(before)] == Written("{}")


def test_a_lost_photo_is_a_word_in_earlier_messages_and_stays_in_the_newest() -> None:
    asked = user(photo(1), photo(2), "多少钱？", facts="资料：无")
    newest = user(photo(1), "这个呢？")
    first, last = chat.without((asked, newest), {photo(1).sha256})
    assert first == user(chat.LOST, photo(2), "多少钱？", facts="资料：无")
    assert last == newest
