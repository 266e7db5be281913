"""The notice: above the threshold only, with a rounded time and the place in the queue."""

from __future__ import annotations

import pytest

from bot import words
from bot.ports import Estimate
from bot.slow import notice


def said(whole: float, *, ahead: int = 0, photo: bool = False, text: str = "", after: float = 8) -> str | None:
    estimate = Estimate(first_s=whole / 2, whole_s=whole, ahead=ahead)
    return notice(estimate, after_s=after, language="zh", photo=photo, text=text)


def test_an_answer_that_takes_no_longer_than_the_threshold_is_not_announced() -> None:
    assert said(0) is None
    assert said(8) is None
    assert said(8.01) is not None


def test_a_threshold_of_nothing_announces_every_answer() -> None:
    assert said(0.1, after=0) is not None


@pytest.mark.parametrize(("photo", "ahead"), [(True, 0), (True, 3), (False, 0), (False, 3)])
def test_the_notice_says_what_is_looked_at_and_who_is_before(photo: bool, ahead: int) -> None:
    key = f"notice.{'photo' if photo else 'words'}{'_queue' if ahead else ''}"
    assert said(42, ahead=ahead, photo=photo) == words.say("zh", key, seconds=" 50 秒", ahead=ahead)


def test_the_shops_own_words_take_the_figures() -> None:
    assert said(42, ahead=2, text="等{seconds}，前面{ahead}位。") == "等50 秒，前面2位。"
