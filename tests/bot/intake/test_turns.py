"""What is accepted is answered once, each customer in order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot import words
from bot.model import Action, Customer, EventKind, Reply
from bot.ports import Capabilities, Estimate, Mark
from storage.store import SqlStore
from tests.bot.intake.house import ME, PHOTO, YOU, Built, echo
from tests.fakes.engine import Answered, Hang, ScriptedEngine, written
from tests.fakes.voice import VOICE


async def test_a_message_is_answered_and_the_house_is_empty_again(built: Built) -> None:
    house = built()
    event = await house.say("多少钱？")
    (reply,) = await house.adapter.replies(1)
    assert reply == Reply(customer=ME, text="您说「多少钱？」。", route=event.route, source="model")
    await house.settled()
    assert await house.store.events(ME) == []
    assert await house.store.outgoing() == []
    assert [(said.turn.speaker, said.turn.text) for said in await house.said()] == [
        ("customer", "多少钱？"),
        ("bot", "您说「多少钱？」。"),
    ]
    assert house.adapter.previews == [(event.route, "您说「多少钱？」。")]
    (outgoing,) = house.adapter.sent
    assert outgoing.trace.model == "scripted", "how the reply came to be goes with it"
    assert outgoing.trace.steps[0][0] == "event"
    assert house.adapter.thoughts >= 1


async def test_accept_returns_when_the_events_and_the_mark_are_kept(built: Built) -> None:
    house = built(opened=False)
    mark = Mark(channel="test", account="shop", value="7")
    await house.intake.accept([house.event("你好？")], mark)
    assert await house.store.mark("test", "shop") == "7"
    assert len(await house.store.events(ME)) == 1


async def test_what_comes_before_the_model_is_there_is_answered_when_it_is(built: Built) -> None:
    house = built(opened=False)
    await house.say("你好？")
    assert house.engine.requests == []
    house.intake.open()
    assert [reply.text for reply in await house.adapter.replies(1)] == ["您说「你好？」。"]


async def test_the_same_event_twice_is_answered_once(built: Built) -> None:
    house = built()
    event = await house.say("你好？")
    await house.adapter.replies(1)
    await house.accept(event)
    await house.accept(event, event)
    await house.settled()
    assert len(house.engine.requests) == 1
    assert len(house.adapter.sent) == 1


async def test_one_customer_is_answered_in_order(built: Built) -> None:
    house = built()
    for n, word in enumerate("甲乙丙丁戊", 1):
        await house.say(f"{word}？")
        await house.adapter.replies(n)
    assert house.adapter.texts() == [f"您说「{word}？」。" for word in "甲乙丙丁戊"]


async def test_what_comes_while_an_answer_is_written_is_the_next_turn(built: Built) -> None:
    hang = Hang(written("第一个答案。"))
    script: list[Answered] = [hang, written("第二个答案。")]
    house = built(script)
    await house.say("一？")
    await hang.reached.wait()
    await house.say("二？")
    await house.say("三？")
    hang.go.set()
    await house.adapter.replies(2)
    assert house.adapter.texts() == ["第一个答案。", "第二个答案。"]
    assert house.bodies() == [("一？",), ("二？\n三？",)]
    assert house.engine.most_running == 1


async def test_customers_are_served_side_by_side(built: Built) -> None:
    hang = Hang(written("慢。"))
    house = built(lambda request: hang if "慢" in str(request.messages[-1].body) else echo(request))
    await house.say("慢？")
    await hang.reached.wait()
    await house.say("快？", YOU)
    (reply,) = await house.adapter.replies(1)
    assert (reply.customer, reply.text) == (YOU, "您说「快？」。")
    hang.go.set()
    await house.adapter.replies(2)


async def test_two_hundred_customers_at_once_get_each_their_own_answer(built: Built) -> None:
    house = built()
    everybody = [Customer(channel="test", account="shop", id=str(n)) for n in range(200)]
    await house.accept(*(house.event(f"我是{customer.id}号？", customer) for customer in everybody))
    replies = await house.adapter.replies(200)
    assert {reply.customer: reply.text for reply in replies} == {c: f"您说「我是{c.id}号？」。" for c in everybody}
    await house.settled()
    assert await house.store.waiting() == []


@pytest.mark.parametrize("language", words.LANGUAGES)
@pytest.mark.parametrize("kind", ["voice", "video", "file", "sticker", "location", "other", "dice"])
async def test_every_kind_of_message_gets_a_sentence_in_the_customers_language(
    built: Built, kind: str, language: Any
) -> None:
    house = built()
    await house.say(attachment=kind, language=language)
    (reply,) = await house.adapter.replies(1)
    assert reply.text == words.say(language, f"unsupported.{'other' if kind == 'dice' else kind}")
    assert reply.source == "rule"


async def test_the_same_sentence_is_said_once_in_a_turn(built: Built) -> None:
    house = built(merge_s=30)
    await house.accept(house.event(attachment="voice"), house.event(attachment="voice"), house.event("在吗？"))
    (reply,) = await house.adapter.replies(1)
    assert reply.text == f"{words.say('zh', 'unsupported.voice')}\n您说「在吗？」。"


@pytest.mark.parametrize("kind", [EventKind.ENTERED, EventKind.COMMAND])
async def test_who_opens_the_chat_is_greeted_without_the_model(built: Built, kind: EventKind) -> None:
    house = built()
    await house.say("/start" if kind is EventKind.COMMAND else "", kind=kind)
    (reply,) = await house.adapter.replies(1)
    assert reply.text == words.say("zh", "answer.greeting", shop=VOICE.shop)
    assert house.engine.requests == []


@pytest.mark.parametrize("kind", [EventKind.MESSAGE, EventKind.EDITED, EventKind.COMMAND, EventKind.CHOICE])
async def test_a_photo_is_asked_about_whatever_its_words_are(built: Built, kind: EventKind) -> None:
    house = built([written("红色的。")])
    await house.say("/price", kind=kind, photos=(PHOTO,))
    (reply,) = await house.adapter.replies(1)
    assert reply.text == "红色的。"
    (body,) = house.bodies()
    assert body[0] == PHOTO
    assert body[1:] == (() if kind is EventKind.COMMAND else ("/price",))


@pytest.mark.parametrize("kind", [EventKind.SEND_FAILED, EventKind.STAFF_SPOKE])
async def test_what_is_no_customers_word_is_done_in_silence(built: Built, kind: EventKind) -> None:
    house = built()
    await house.say("x", kind=kind)
    await house.settled()
    assert house.engine.requests == []
    assert house.adapter.sent == []
    assert house.adapter.silences == [ME]
    assert await house.store.events(ME) == []


async def test_a_choice_is_answered_like_words(built: Built) -> None:
    house = built()
    await house.say("红色", kind=EventKind.CHOICE)
    assert (await house.adapter.replies(1))[0].text == "您说「红色」。"


async def test_the_language_is_that_of_the_words_then_the_platforms_then_the_conversations(built: Built) -> None:
    house = built(lambda request: written("", Action.PERSON))
    english, chinese = (words.say(language, "answer.person", contact=VOICE.contact) for language in ("en", "zh"))
    expected = []
    for text, hint, said in [
        ("human please?", None, english),
        ("??", None, english),
        ("人工？", None, chinese),
        ("??", "zh", chinese),
        ("help me?", "zh", english),
    ]:
        await house.say(text, language=hint)
        expected.append(said)
        await house.adapter.replies(len(expected))
    assert house.adapter.texts() == expected
    assert (await house.store.conversation(ME, language="zh")).language == "en", "as it began"


async def test_the_label_is_put_where_the_channel_does_not_show_it(built: Built) -> None:
    house = built(label="AI 客服")
    await house.say("你好？")
    assert (await house.adapter.replies(1))[0].text == "【AI 客服】您说「你好？」。"
    assert house.adapter.previews[-1][1] == "【AI 客服】您说「你好？」。"
    house.adapter.capabilities = Capabilities(preview=True, shows_label=True)
    await house.say("再见？")
    assert (await house.adapter.replies(2))[1].text == "您说「再见？」。"
    assert house.adapter.previews[-1][1] == "您说「再见？」。"


async def test_a_channel_without_previews_gets_none(built: Built) -> None:
    house = built(preview=False)
    await house.say("你好？")
    await house.adapter.replies(1)
    assert house.adapter.previews == []


async def test_a_slow_answer_is_announced_on_the_channel(built: Built) -> None:
    house = built(engine=ScriptedEngine(echo, estimate=Estimate(first_s=20, whole_s=42, ahead=1)))
    before = datetime.now(UTC)
    event = await house.say("你好？")
    await house.adapter.replies(1)
    ((route, text, until, ahead),) = house.adapter.notices
    assert route == event.route
    assert text == words.say("zh", "notice.words_queue", seconds=" 50 秒", ahead=1)
    assert until >= before + timedelta(seconds=42)
    assert ahead == 1


async def test_a_notice_that_the_platform_does_not_take_holds_up_no_answer(built: Built) -> None:
    house = built(engine=ScriptedEngine(echo, estimate=Estimate(first_s=20, whole_s=42, ahead=1)))
    house.adapter.noticed.clear()
    await house.say("你好？")
    (reply,) = await house.adapter.replies(1)
    assert reply.text == "您说「你好？」。"
    assert len(house.adapter.notices) == 1


class Held:
    """A store in which a person holds every conversation."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def conversation(self, customer: Customer, *, language: Any) -> Any:
        return replace(await self._store.conversation(customer, language=language), holder="staff")


async def test_the_bot_is_silent_when_it_is_switched_off(built: Built) -> None:
    house = built(answers=False)
    await house.say("你好？")
    await house.settled()
    assert house.engine.requests == []
    assert house.adapter.sent == []
    assert await house.store.events(ME) == []
    assert [said.turn.text for said in await house.said()] == ["你好？"]


async def test_the_bot_is_silent_while_a_person_holds_the_conversation(built: Built, store: SqlStore) -> None:
    held = Held(store)
    house = built(over=held)
    await house.say("你好？")
    await house.settled()
    assert house.engine.requests == []
    assert house.adapter.sent == []
    assert await store.events(ME) == []
