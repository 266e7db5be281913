"""From a turn to a reply: how many calls, what the guard does, what each action means, and what is shown when."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise

import pytest

from bot import prompt, words
from bot.answer import SCHEMA
from bot.dialogue import Dialogue, Outcome
from bot.errors import EngineError, Erased, TooLong
from bot.model import (
    Action,
    Answer,
    Conversation,
    Customer,
    Defect,
    Fact,
    Facts,
    Language,
    Offer,
    Photo,
    Reply,
    Seen,
    Tokens,
    Unproven,
)
from bot.ports import Estimate, Message, Request
from bot.voice import Voice
from bot.writing import NOTE
from storage.store import SqlStore
from tests.fakes import voice
from tests.fakes.engine import FAST, Answered, Loop, Script, ScriptedEngine, written
from tests.fakes.facts import ScriptedFacts

CUSTOMER = Customer(channel="test", account="shop", id="1")
PHOTO = Photo(sha256="a" * 64, media_type="image/jpeg", width=100, height=100)
SHIRT = Fact(id="product:TS-ST-RD", text="红色条纹T恤 89元 库存12件 尺码S/M/L 棉")
OFFER = Offer(product="TS-ST-RD", name="红色条纹T恤", price=Decimal(89), stock=12)
SEEN = Seen(kind="T恤", colour="红色", pattern="条纹", count=1, quality="clear")
VOICE = replace(
    voice.VOICE,
    system=Message(role="system", body=("你是小满杂货的客服。\n运费：满99元包邮，不满收8元运费。",)),
)
UNKNOWN = words.say("zh", "answer.unknown", contact=VOICE.contact)


@dataclass
class Desk:
    """A shop's dialogue with one customer, and what he was shown."""

    engine: ScriptedEngine
    facts: ScriptedFacts
    store: SqlStore
    dialogue: Dialogue
    shown: list[str] = field(default_factory=list)
    told: list[tuple[str, Estimate]] = field(default_factory=list)

    async def conversation(self) -> Conversation:
        try:
            return await self.store.conversation(CUSTOMER, language="zh")
        except Erased:  # his first word
            return await self.store.begin(CUSTOMER, language="zh")

    async def ask(self, *body: str | Photo, language: Language = "zh") -> Outcome:
        self.shown.clear()

        async def show(text: str) -> None:
            self.shown.append(text)

        async def tell(text: str, estimate: Estimate) -> None:
            self.told.append((text, estimate))

        conversation = await self.conversation()
        outcome = await self.dialogue.answer(conversation, body, language=language, show=show, tell=tell)
        reply = Reply(customer=CUSTOMER, text=outcome.text)
        await self.store.finish(conversation, [], outcome.exchanges, [(reply, outcome.trace)])
        return outcome

    def prompts(self, at: int = -1) -> tuple[Message, ...]:
        return self.engine.requests[at].messages


Opener = Callable[..., Desk]


@pytest.fixture
def opened(store: SqlStore) -> Opener:
    def desk(
        script: Script,
        found: Callable[[str, Seen | None], Facts] = lambda words, seen: Facts(),
        *,
        head: Sequence[str] = (),
        voice: Voice = VOICE,
        estimate: Estimate = FAST,
        piece: int = 3,
    ) -> Desk:
        engine = ScriptedEngine(script, piece=piece, estimate=estimate)
        facts = ScriptedFacts(found, head)
        return Desk(engine, facts, store, Dialogue(engine, facts, store, voice))

    return desk


def shirt(words: str, seen: Seen | None) -> Facts:
    return Facts(lines=(SHIRT,), offers=(OFFER,))


def shirt_when_seen(words: str, seen: Seen | None) -> Facts:
    return shirt(words, seen) if seen else Facts()


# ------------------------------------------------------------------------------------------------ the common path


async def test_the_common_path_is_one_call_with_facts_head_and_schema(opened: Opener) -> None:
    desk = opened([written("这款89元，有现货。")], shirt, head=["订单ZG1 T恤×1 已发货"])
    outcome = await desk.ask(PHOTO, "红色条纹T恤多少钱")
    assert outcome.text == "这款89元，有现货。"
    assert outcome.source == "model"
    (request,) = desk.engine.requests
    assert request.schema is SCHEMA
    assert request.max_tokens == VOICE.max_tokens
    assert request.priority == 0
    assert request.conversation == str((await desk.conversation()).id)
    assert request.messages == (
        VOICE.system,
        Message(
            role="user",
            body=("顾客：test zh\n订单ZG1 T恤×1 已发货\n", PHOTO, "红色条纹T恤多少钱"),
            facts=f"资料：\n{SHIRT.text}",
        ),
    )
    assert desk.facts.asked == [("红色条纹T恤多少钱", None)]
    assert outcome.offers == (OFFER,)


async def test_the_trace_says_how_the_answer_came_to_be(opened: Opener) -> None:
    outcome = await opened([written("89元。")], shirt).ask("红色条纹T恤多少钱")
    trace = outcome.trace
    assert trace.action is Action.NONE
    assert trace.facts == (SHIRT,)
    assert trace.model == "scripted"
    assert trace.tokens == Tokens(prompt=100, reused=80, reply=10)
    assert trace.timings.image_s == 0.2
    assert trace.timings.queue_s == 0.1
    assert trace.timings.total_s > 0
    assert [name for name, _ in trace.steps] == ["facts", "prompt", "answer", "guard"]
    assert trace.stopped == ()
    assert trace.notice is None


async def test_sentences_are_shown_one_by_one_and_each_past_the_guard(opened: Opener) -> None:
    desk = opened([written("您好。这款89元。有现货。")], shirt, piece=1)
    await desk.ask("多少钱")
    assert desk.shown == ["您好。", "您好。这款89元。", "您好。这款89元。有现货。"]


async def test_messages_of_a_conversation_are_a_prefix_of_the_next_request(opened: Opener) -> None:
    desk = opened([written("好的。"), written("", Action.LOOK_UP, SEEN), written("89元。"), written("是的。")], shirt)
    for body in (("你好",), (PHOTO, "多少钱"), ("有货吗",)):
        await desk.ask(*body)
    sent = [request.messages for request in desk.engine.requests]
    for before, after in pairwise(sent):
        assert after[: len(before)] == before


async def test_the_model_gets_as_many_fact_lines_as_it_handles(opened: Opener) -> None:
    many = tuple(Fact(id=f"product:{n}", text=f"{n}号杯子 {n}元") for n in range(9))
    desk = opened([written("您好。")], lambda words, seen: Facts(lines=many))
    outcome = await desk.ask("杯子")
    assert desk.prompts()[-1].facts.count("\n") == desk.engine.info.fact_lines
    assert outcome.trace.facts == many[:3]


# ------------------------------------------------------------------------------------------------ look-up


async def test_a_look_up_is_two_calls_over_the_same_beginning(opened: Opener) -> None:
    desk = opened([written("", Action.LOOK_UP, SEEN), written("红色条纹T恤89元。")], shirt_when_seen)
    outcome = await desk.ask(PHOTO, "多少钱")
    first, second = desk.engine.requests
    assert second.messages[: len(first.messages)] == first.messages
    assert second.messages[-1] == Message(role="user", body=(), facts=f"资料：\n{SHIRT.text}")
    assert desk.facts.asked == [("多少钱", None), ("多少钱", SEEN)]
    assert outcome.text == "红色条纹T恤89元。"
    assert outcome.source == "model"
    assert [exchange.body for exchange in outcome.exchanges] == [(PHOTO, "多少钱"), ()]
    assert outcome.offers == (OFFER,)
    assert outcome.trace.action is Action.LOOK_UP
    assert outcome.trace.seen == SEEN
    assert outcome.trace.facts == (SHIRT,)
    assert outcome.trace.tokens.reply == 20
    assert outcome.trace.timings.queue_s == pytest.approx(0.2)
    call = ["prompt", "answer", "guard"]
    assert [name for name, _ in outcome.trace.steps] == ["facts", *call, "look_up", *call]


async def test_the_first_token_of_a_turn_is_that_of_its_first_call(opened: Opener) -> None:
    def script(request: Request) -> str:
        if len(desk.engine.requests) == 1:
            return written("", Action.LOOK_UP, SEEN)
        time.sleep(0.5)
        return written("89元。")

    desk = opened(script, shirt_when_seen)
    timings = (await desk.ask(PHOTO, "多少钱")).trace.timings
    assert timings.total_s - timings.first_token_s >= 0.5


async def test_a_look_up_that_finds_nothing_says_so_to_the_model(opened: Opener) -> None:
    desk = opened([written("", Action.LOOK_UP, SEEN), written("本店没有这一款。")])
    outcome = await desk.ask(PHOTO, "多少钱")
    assert desk.prompts()[-1].facts == "资料：无"
    assert outcome.text == "本店没有这一款。"
    assert outcome.offers == ()


@pytest.mark.parametrize("words", ["我查一下。", "红色条纹T恤", "才1元。"])
async def test_words_beside_a_look_up_are_not_said(opened: Opener, words: str) -> None:
    desk = opened([written(words, Action.LOOK_UP, SEEN), written("89元。")], shirt_when_seen)
    outcome = await desk.ask(PHOTO, "多少钱")
    assert outcome.text == "89元。"
    assert desk.shown == ["89元。"]
    assert outcome.trace.stopped == ()
    assert outcome.exchanges[0].answer is not None
    assert outcome.exchanges[0].answer.reply == words, "the model finds them in the conversation"


async def test_a_second_look_up_gets_the_safe_sentence(opened: Opener) -> None:
    again = written("", Action.LOOK_UP, SEEN)
    desk = opened([again, again], shirt_when_seen)
    outcome = await desk.ask(PHOTO, "多少钱")
    assert outcome.text == UNKNOWN
    assert len(desk.engine.requests) == 2
    assert desk.shown[-1] == UNKNOWN


async def test_a_second_look_up_with_words_is_not_believed(opened: Opener) -> None:
    again = written("马上给您查。", Action.LOOK_UP, SEEN)
    outcome = await opened([again, again], shirt_when_seen).ask(PHOTO, "多少钱")
    assert outcome.text == UNKNOWN


async def test_what_a_look_up_leads_to_counts(opened: Opener) -> None:
    again = replace(SEEN, count=2)
    desk = opened([written("", Action.LOOK_UP, SEEN), written("和您订的不一样。", Action.COMPLAINT, again)])
    outcome = await desk.ask(PHOTO, "发错了吧")
    assert outcome.text.startswith("和您订的不一样。\n"), "the complaint's own sentence follows"
    assert outcome.trace.action is Action.COMPLAINT
    assert outcome.trace.seen == again

    desk = opened([written("", Action.LOOK_UP, SEEN), written("", Action.PERSON)])
    outcome = await desk.ask(PHOTO, "便宜点")
    assert outcome.source == "rule"
    assert outcome.trace.seen == SEEN


async def test_an_order_that_is_not_there_is_said_by_the_shop_and_not_by_the_model(opened: Opener) -> None:
    desk = opened(
        lambda request: written("您的订单已经发货。"), lambda words, seen: Facts(lines=(SHIRT,), unproven="wrong")
    )
    outcome = await desk.ask("ZG260118 9999 条纹T恤发货了吗")
    assert outcome.text == words.say("zh", "answer.no_order")
    assert (outcome.source, outcome.trace.action, desk.engine.requests) == ("rule", Action.NEED_ORDER, [])
    assert outcome.trace.model == "", "no model had a part in it"
    english = await desk.ask("ZG260118 9999?", language="en")
    assert english.text == words.say("en", "answer.no_order")
    # It stands in the history like any other answer, a photo beside it too.
    await desk.ask(PHOTO, "订单ZG260118 9999 这个破了")
    exchanges = (await desk.conversation()).exchanges
    assert [e.answer and e.answer.reply for e in exchanges] == [outcome.text, english.text, outcome.text]
    assert PHOTO in exchanges[-1].body
    assert desk.engine.requests == []


@pytest.mark.parametrize(("lacking", "key"), [("tail", "need_tail"), ("number", "need_number"), ("wrong", "no_order")])
async def test_what_is_lacking_of_an_order_is_asked_for(opened: Opener, lacking: Unproven, key: str) -> None:
    desk = opened([], lambda words, seen: Facts(unproven=lacking))
    assert (await desk.ask("ZG260118")).text == words.say("zh", f"answer.{key}")


async def test_an_order_may_be_told_in_pieces(opened: Opener) -> None:
    lacking: dict[str, Unproven] = {"ZG260118": "tail"}
    desk = opened(
        [written("", Action.NEED_ORDER), written("好的。"), written("好的。")],
        lambda words, seen: Facts(unproven=lacking.get(words.split("\n")[0])),
    )
    for said in ("我的订单到哪了", "ZG260118", "4321", "T恤多少钱"):
        await desk.ask(said)
    assert [words for words, _ in desk.facts.asked] == [
        "我的订单到哪了",
        "ZG260118\n我的订单到哪了",
        "4321\nZG260118\n我的订单到哪了",
        "T恤多少钱",
    ]


async def test_something_else_may_stand_between_the_pieces(opened: Opener) -> None:
    desk = opened([written("好的。")] * 4)
    for said in ("ZG260118和ZG260121到哪了", "稍等", "4321", "0846"):
        await desk.ask(said)
    asked = [words for words, _ in desk.facts.asked]
    assert asked[1] == "稍等"
    assert asked[2:] == ["4321\nZG260118和ZG260121到哪了", "0846\nZG260118和ZG260121到哪了"]


async def test_what_is_lacking_of_another_order_is_asked_for_behind_the_answer(opened: Opener) -> None:
    mine = Fact(id="order:ZG260118", text="订单ZG260118 T恤×1 已发货")
    desk = opened([written("订单ZG260118已发货。")], lambda words, seen: Facts(lines=(mine,), unproven="tail"))
    outcome = await desk.ask("ZG260118 4321 和 ZG260121 都到哪了")
    assert outcome.text == "订单ZG260118已发货。\n" + words.say("zh", "answer.need_tail")
    assert desk.shown[-1] == outcome.text


async def test_a_photo_is_looked_up_with_the_orders_that_were_told_last(opened: Opener) -> None:
    told = {name: Fact(id=f"order:{name}", text=f"订单{name} T恤×1 已发货") for name in ("ZG260118", "ZG260200")}
    desk = opened(
        [written("好的。"), written("好的。"), written("", Action.LOOK_UP, SEEN), written("好的。")],
        lambda words, seen: Facts(lines=(told[words],) if words in told else ()),
    )
    for said in told:
        await desk.ask(said)
    await desk.ask(PHOTO, "对吗")
    assert desk.facts.asked[-1] == ("对吗\nZG260200", SEEN)


async def test_a_photo_of_an_order_that_is_named_is_held_against_no_other(opened: Opener) -> None:
    told = Fact(id="order:ZG260118", text="订单ZG260118 T恤×1 已发货")
    desk = opened(
        [written("好的。"), written("", Action.LOOK_UP, SEEN), written("好的。")],
        lambda words, seen: Facts(lines=(told,) if words == "ZG260118" else ()),
    )
    await desk.ask("ZG260118")
    await desk.ask(PHOTO, "这是订单ZG260127里的吗")
    assert desk.facts.asked[-1] == ("这是订单ZG260127里的吗", SEEN)


@pytest.mark.parametrize("said", ["我想要2026款的连衣裙", "算了，有没有1000元以内的？", "我1120下的单"])
async def test_a_question_with_figures_is_no_piece_of_an_order(opened: Opener, said: str) -> None:
    desk = opened(
        [written("好的。")], lambda words, seen: Facts(unproven="tail" if words == "订单ZG260118到哪了" else None)
    )
    await desk.ask("订单ZG260118到哪了")
    await desk.ask(said)
    assert desk.facts.asked[-1] == (said, None)


async def test_a_look_up_without_a_record_has_nothing_to_look_up(opened: Opener) -> None:
    desk = opened([written("我看看。", Action.LOOK_UP, None)])
    assert (await desk.ask("多少钱")).text == UNKNOWN
    assert len(desk.engine.requests) == 1


# ------------------------------------------------------------------------------------------------ the guard


async def test_what_the_guard_stops_is_tried_once_more_with_the_reason(opened: Opener) -> None:
    desk = opened([written("送您50元。这款89元，有现货，要哪个尺码？"), written("这款89元。")], shirt)
    outcome = await desk.ask("多少钱")
    assert outcome.text == "这款89元。"
    first, second = desk.engine.requests
    assert second.messages[:-1] == first.messages[:-1]
    assert second.messages[-1].body == first.messages[-1].body
    assert second.messages[-1].facts == f"{first.messages[-1].facts}\n{prompt.correction('price', 'zh')}"
    assert outcome.trace.stopped == ("price",)
    assert desk.engine.cancelled == [first], "the engine's stream is closed where it was stopped"


async def test_a_second_stop_leaves_one_note_in_the_conversation(opened: Opener) -> None:
    desk = opened([written("送您50元。"), written("送您60元。")], shirt)
    outcome = await desk.ask("多少钱")
    assert outcome.text == UNKNOWN
    assert [fact.id for fact in outcome.exchanges[0].facts] == [SHIRT.id, NOTE]


async def test_the_note_stays_in_the_conversation_as_the_model_read_it(opened: Opener) -> None:
    desk = opened([written("送您50元。"), written("这款89元。"), written("是的。")], shirt)
    await desk.ask("多少钱")
    await desk.ask("真的吗")
    assert desk.prompts(2)[: len(desk.prompts(1))] == desk.prompts(1)


async def test_a_note_is_no_proof_for_the_guard(opened: Opener) -> None:
    desk = opened([written("送您50元。"), written("送您50元。")], shirt)
    assert (await desk.ask("多少钱")).text == UNKNOWN


async def test_after_a_second_stop_the_safe_sentence_names_the_contact(opened: Opener) -> None:
    desk = opened([written("50元。"), written("60元。")], shirt)
    outcome = await desk.ask("多少钱")
    assert outcome.text == UNKNOWN
    assert VOICE.contact in outcome.text
    assert outcome.trace.stopped == ("price", "price")
    assert len(desk.engine.requests) == 2
    assert desk.shown == []
    (exchange,) = outcome.exchanges
    assert exchange.answer is not None
    assert exchange.answer.reply == UNKNOWN, "the conversation holds what the customer read"


async def test_sentences_that_passed_are_kept_before_the_safe_sentence(opened: Opener) -> None:
    desk = opened([written("60元。"), written("这款是棉的。只要50元。")], shirt)
    outcome = await desk.ask("多少钱")
    assert outcome.text == f"这款是棉的。{UNKNOWN}"
    assert desk.shown == ["这款是棉的。"]


async def test_nothing_is_shown_before_the_guard(opened: Opener) -> None:
    desk = opened([written("50元"), written("50元")], shirt, piece=1)
    await desk.ask("多少钱")
    assert desk.shown == []


async def test_the_last_sentence_without_an_end_is_checked_too(opened: Opener) -> None:
    desk = opened([written("您好。只要50元"), written("您好")], shirt)
    assert (await desk.ask("多少钱")).text == "您好"


@pytest.mark.parametrize(
    ("reply", "reason"),
    [("11月21日发货。", "date"), ("请看www.example.org。", "link"), ("还有77件。", "number"), ("77元。", "price")],
)
async def test_the_reason_picks_the_note(opened: Opener, reply: str, reason: str) -> None:
    desk = opened([written(reply), written("您好。")], shirt)
    outcome = await desk.ask("多少钱")
    assert outcome.trace.stopped == (reason,)
    assert desk.prompts()[-1].facts.endswith(prompt.correction(reason, "zh"))


@pytest.mark.parametrize(
    "reply",
    [
        "运费是8元。",
        "可以写信到hello@xiaoman.example。",
        "订单ZG260118已发货。",
        "您说的36码有货。",
        "前面那款是89元。",
    ],
)
async def test_the_guard_knows_system_contact_head_words_and_earlier_facts(opened: Opener, reply: str) -> None:
    first = iter([Facts(lines=(SHIRT,))])
    desk = opened(
        [written("您好。"), written(reply)],
        lambda words, seen: next(first, Facts()),
        head=["订单ZG260118 T恤×1 已发货"],
    )
    await desk.ask("T恤")
    outcome = await desk.ask("36码的呢")
    assert outcome.text == reply
    assert outcome.trace.stopped == ()


async def test_an_old_price_is_no_price(opened: Opener) -> None:
    lines = iter([SHIRT, replace(SHIRT, text=SHIRT.text.replace("89元", "99元"))])
    desk = opened(
        [written("红色条纹T恤89元。"), written("红色条纹T恤89元。"), written("红色条纹T恤99元。")],
        lambda words, seen: Facts(lines=(next(lines),)),
    )
    assert (await desk.ask("多少钱")).text == "红色条纹T恤89元。"
    outcome = await desk.ask("现在呢")
    assert outcome.text == "红色条纹T恤99元。"
    assert outcome.trace.stopped == ("price",)


@pytest.mark.parametrize(
    ("row", "now", "old"),
    [
        (SHIRT, SHIRT.text.replace("89元", "119元"), "一共89元。"),
        (SHIRT, SHIRT.text.replace("库存12件", "缺货"), "还有12件。"),
        (SHIRT, None, "一共89元。"),
        (
            Fact(id="order:ZG260118", text="订单ZG260118 T恤×1 已发货"),
            "订单ZG260118 T恤×1 已取消",
            "订单ZG260118已发货。",
        ),
        (Fact(id="policy:p:0", text="质保：雨伞保修3年。"), "质保：雨伞保修1年。", "雨伞保修3年。"),
    ],
)
async def test_what_was_told_before_counts_only_while_the_shop_says_it(
    opened: Opener, row: Fact, now: str | None, old: str
) -> None:
    first = iter([Facts(lines=(row,))])
    desk = opened(
        [written("您好。"), written(old), written(old), written(old)], lambda words, seen: next(first, Facts())
    )
    await desk.ask("T恤，订单")
    assert (await desk.ask("是吗")).text == old, "unchanged, it still counts"
    assert desk.prompts()[-1].facts == "", "and is not told again"
    if now is None:
        del desk.facts.rows[row.id]
    else:
        desk.facts.rows[row.id] = replace(row, text=now)
    assert (await desk.ask("现在呢")).text == UNKNOWN


async def test_what_changed_since_it_was_told_is_told_anew_and_history_stays(opened: Opener) -> None:
    first = iter([Facts(lines=(SHIRT,))])
    desk = opened(
        [written("89元。"), written("一共119元。"), written("是的。")], lambda words, seen: next(first, Facts())
    )
    await desk.ask("红色条纹T恤多少钱")
    dearer = replace(SHIRT, text=SHIRT.text.replace("89元", "119元"))
    desk.facts.rows[SHIRT.id] = dearer
    outcome = await desk.ask("那我要了，一共多少")
    assert outcome.text == "一共119元。"
    assert outcome.trace.facts == (dearer,)
    assert desk.prompts()[-1].facts == f"资料：\n{dearer.text}"
    assert desk.prompts(1)[: len(desk.prompts(0))] == desk.prompts(0)
    await desk.ask("真的吗")
    assert desk.prompts()[-1].facts == "", "once is enough"


async def test_what_changed_is_told_behind_what_was_asked_for_and_no_more_than_fits(opened: Opener) -> None:
    asked = tuple(Fact(id=f"product:{n}", text=f"{n}号杯子 {n}元") for n in range(3))
    found = iter([Facts(lines=(SHIRT,)), Facts(lines=asked)])
    desk = opened([written("89元。"), written("好的。"), written("好的。")], lambda words, seen: next(found, Facts()))
    await desk.ask("T恤")
    desk.facts.rows[SHIRT.id] = replace(SHIRT, text="红色条纹T恤 119元 缺货")
    assert (await desk.ask("杯子")).trace.facts == asked
    assert [fact.id for fact in (await desk.ask("好")).trace.facts] == [SHIRT.id], "in the next turn that has room"


async def test_what_changed_and_was_asked_for_again_is_told_once(opened: Opener) -> None:
    dearer = replace(SHIRT, text=SHIRT.text.replace("89元", "119元"))
    found = iter([Facts(lines=(SHIRT,)), Facts(lines=(dearer,))])
    desk = opened([written("89元。"), written("119元。")], lambda words, seen: next(found))
    await desk.ask("T恤")
    assert (await desk.ask("T恤")).trace.facts == (dearer,)


async def test_an_order_that_moved_on_is_not_told_as_it_was_when_the_conversation_began(opened: Opener) -> None:
    desk = opened(
        [written("您好。"), written("订单ZG260118待付款。"), written("订单ZG260118已发货。")],
        head=["订单ZG260118 T恤×1 待付款"],
    )
    await desk.ask("在吗")
    desk.facts.ordered = ["订单ZG260118 T恤×1 已发货"]
    outcome = await desk.ask("我的订单呢")
    assert outcome.text == "订单ZG260118已发货。"
    assert outcome.trace.stopped == ("deed",)
    assert "待付款" in str(desk.prompts()), "what was rendered stays as it was"


async def test_a_model_that_repeats_itself_is_asked_once_more(opened: Opener) -> None:
    cut = Loop(written("好的。好的。好的。好")[:-2])
    desk = opened([cut, written("好的。")])
    outcome = await desk.ask("在吗")
    assert outcome.text == "好的。"
    assert outcome.trace.stopped == ("repetition",)
    assert desk.prompts()[-1].facts == f"资料：\n{prompt.correction('repetition', 'zh')}"


async def test_nothing_of_an_answer_that_turned_in_circles_is_left(opened: Opener) -> None:
    looped = written("好的。图里有鞋子，图里有鞋子，图里有鞋子。")
    desk = opened([looped, Loop(written("看看。看看。看")[:-2])])
    outcome = await desk.ask("在吗")
    assert outcome.text == words.say("zh", "answer.unknown", contact=VOICE.contact)
    assert outcome.trace.stopped == ("repetition", "repetition")
    assert outcome.exchanges[-1].answer is not None
    assert outcome.exchanges[-1].answer.reply == outcome.text


async def test_who_does_not_know_says_where_to_turn(opened: Opener) -> None:
    desk = opened([written("这个资料里没有写，我不敢乱说。"), *[written("I would rather not guess.")] * 2])
    way = words.say("zh", "answer.contact", contact=VOICE.contact)
    assert (await desk.ask("保修吗")).text == f"这个资料里没有写，我不敢乱说。{way}"
    way = words.say("en", "answer.contact", contact=VOICE.contact)
    assert (await desk.ask("warranty?", language="en")).text == f"I would rather not guess. {way}"
    # A model that takes the other language is not answered into it.
    assert (await desk.ask("保修吗")).text == f"I would rather not guess. {way}"


@pytest.mark.parametrize("reply", ["没有看到破损。", "这个资料里没有写。", "本店没有连衣裙。"])
async def test_a_card_of_what_the_reply_does_not_speak_of_is_not_shown(opened: Opener, reply: str) -> None:
    assert (await opened([written(reply)], shirt).ask("T恤")).offers == ()


@pytest.mark.parametrize("reply", ["红色条纹T恤89元。", "这款89元，有现货。", "有现货，是红色条纹的短袖。"])
async def test_a_card_of_what_the_reply_speaks_of_is_shown(opened: Opener, reply: str) -> None:
    assert (await opened([written(reply)], shirt).ask("T恤")).offers == (OFFER,)


async def test_a_price_shows_the_card_of_the_thing_that_costs_this_and_no_part_of_it(opened: Opener) -> None:
    sock = Offer(product="SK", name="红色袜子", price=Decimal(29), stock=1)
    dress = Offer(product="DR", name="蓝色连衣裙", price=Decimal(129), stock=1)
    lines = (Fact(id="product:SK", text="红色袜子 29元"), Fact(id="product:DR", text="蓝色连衣裙 129元"))
    desk = opened([written("这款129元。")], lambda words, seen: Facts(lines=lines, offers=(sock, dress)))
    assert (await desk.ask("多少钱")).offers == (dress,)
    dear = replace(dress, price=Decimal(1290))
    desk = opened([written("这款129元。")], lambda words, seen: Facts(lines=lines, offers=(dear, dress)))
    assert (await desk.ask("多少钱")).offers == (dress,)


@pytest.mark.parametrize("action", [Action.COMPLAINT, Action.NEED_PHOTO, Action.NEED_ORDER])
async def test_no_card_stands_beside_a_complaint_or_a_request(opened: Opener, action: Action) -> None:
    outcome = await opened([written("红色条纹T恤左边有破洞。", action, SEEN)], shirt).ask(PHOTO, "坏了")
    assert "红色条纹T恤" in outcome.text
    assert outcome.offers == ()


async def test_a_complaint_about_a_photo_sent_before_says_that_it_was_looked_at(opened: Opener) -> None:
    desk = opened([written("是红色的。"), written("", Action.COMPLAINT)])
    await desk.ask(PHOTO, "什么颜色")
    assert (await desk.ask("坏了")).text == words.say("zh", "answer.complaint", contact=VOICE.contact)


async def test_a_complaint_without_a_photo_does_not_speak_of_one(opened: Opener) -> None:
    outcome = await opened([written("", Action.COMPLAINT)]).ask("坏了")
    assert outcome.text == words.say("zh", "answer.complaint_unseen", contact=VOICE.contact)


async def test_an_answer_cut_at_its_most_tokens_ends_with_its_last_whole_sentence(opened: Opener) -> None:
    outcome = await opened([Loop(written("是红色的。这件的面料是纯"), "length")]).ask("什么颜色")
    assert outcome.text == "是红色的。"
    assert outcome.exchanges[-1].answer == Answer(action=Action.NONE, seen=None, reply="是红色的。")
    unclosed = await opened([Loop(written("是红色的。这件的面料是纯")[:-2], "length")]).ask("什么颜色")
    assert unclosed.text == "是红色的。"


async def test_an_answer_cut_before_its_first_sentence_ends_is_asked_for_again(opened: Opener) -> None:
    desk = opened([Loop(written("这件的面料是纯"), "length"), written("纯棉。")])
    assert (await desk.ask("什么面料")).text == "纯棉。"
    assert desk.prompts()[-1].facts == f"资料：\n{prompt.correction('length', 'zh')}"


async def test_the_blanks_of_another_server_s_json_change_nothing(opened: Opener) -> None:
    spaced = '{"action": "none", "seen": null, "reply" : "是红色的。"}'
    outcome = await opened([spaced]).ask("什么颜色")
    assert outcome.text == "是红色的。"


async def test_what_the_parser_reads_and_the_guard_never_saw_is_not_said(opened: Opener) -> None:
    twice = '{"reply":"好的。","action":"none","seen":null,"reply":"只要 99 元。"}'
    outcome = await opened([twice, written("好的。")]).ask("多少钱")
    assert outcome.text == "好的。"
    assert outcome.trace.stopped == ("form",)


@pytest.mark.parametrize(
    "broken", ["", "不是JSON", '{"action":"dance","seen":null,"reply":"好"}', written("好的。")[:-1]]
)
async def test_an_answer_of_another_form_is_asked_for_again(opened: Opener, broken: str) -> None:
    outcome = await opened([broken, written("好的。")]).ask("在吗")
    assert outcome.text == "好的。"
    assert outcome.trace.stopped == ("form",)


async def test_an_answer_that_never_has_the_form_gets_the_safe_sentence(opened: Opener) -> None:
    assert (await opened(["x", "y"]).ask("在吗")).text == UNKNOWN


async def test_what_is_shown_never_runs_ahead_of_the_guard_however_it_is_cut(opened: Opener) -> None:
    reply = "这款是棉的。还有12件。只要50元。不要错过。"
    for piece in (1, 2, 3, 7, 1000):
        desk = opened([written(reply), written(reply)], shirt, piece=piece)
        await desk.ask("多少钱")
        assert not any("50" in text for text in desk.shown)


# ------------------------------------------------------------------------------------------------ what actions mean


async def test_a_person_is_answered_by_rule_and_names_the_contact(opened: Opener) -> None:
    outcome = await opened([written("", Action.PERSON)], shirt).ask("转人工")
    assert outcome.text == words.say("zh", "answer.person", contact=VOICE.contact)
    assert outcome.source == "rule"
    assert outcome.offers == ()
    assert outcome.trace.action is Action.PERSON


async def test_what_a_model_says_beside_a_call_for_a_person_is_not_said(opened: Opener) -> None:
    outcome = await opened([written("已为您转接。", Action.PERSON)]).ask("转人工")
    assert outcome.text == words.say("zh", "answer.person", contact=VOICE.contact)


async def test_a_call_for_a_person_does_not_carry_other_words_past_the_guard(opened: Opener) -> None:
    twice = '{"action":"person","seen":null,"reply":"只要50元。","action":"none"}'
    desk = opened([twice, written("您好。")])
    assert (await desk.ask("便宜点")).text == "您好。"
    assert desk.shown == ["您好。"]


async def test_a_complaint_keeps_what_was_seen_and_adds_the_way_out(opened: Opener) -> None:
    seen = Seen(kind="杯子", colour="蓝色", pattern="纯色", count=1, defects=(Defect(what="裂痕", where="左边"),))
    desk = opened([written("从照片上看，左边有裂痕，很抱歉。", Action.COMPLAINT, seen)], shirt)
    outcome = await desk.ask(PHOTO, "坏了")
    way = words.say("zh", "answer.complaint", contact=VOICE.contact)
    assert outcome.text == f"从照片上看，左边有裂痕，很抱歉。\n{way}"
    assert desk.shown[-1] == outcome.text
    assert outcome.trace.seen == seen
    assert outcome.offers == ()
    assert outcome.source == "model"


async def test_a_complaint_without_words_is_the_way_out_alone(opened: Opener) -> None:
    outcome = await opened([written("", Action.COMPLAINT, SEEN)]).ask(PHOTO, "坏了")
    assert outcome.text == words.say("zh", "answer.complaint", contact=VOICE.contact)


@pytest.mark.parametrize("action", [Action.NEED_PHOTO, Action.NEED_ORDER])
async def test_what_is_needed_is_asked_for_in_the_models_words_or_ours(opened: Opener, action: Action) -> None:
    desk = opened([written("请拍亮一点。", action), written("", action)])
    assert (await desk.ask("坏了")).text == "请拍亮一点。"
    outcome = await desk.ask("坏了")
    assert outcome.text == words.say("zh", f"answer.{action.value}")
    assert outcome.source == "model"


async def test_an_empty_reply_is_never_silence(opened: Opener) -> None:
    desk = opened([written(""), written(""), written("  ")])
    assert (await desk.ask(PHOTO)).text == words.say("zh", "answer.photo_alone")
    assert (await desk.ask("在吗")).text == UNKNOWN
    assert (await desk.ask("在吗")).text == UNKNOWN


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_fixed_sentences_speak_the_customers_language(opened: Opener, language: Language) -> None:
    outcome = await opened([written("", Action.PERSON)]).ask("human", language=language)
    assert outcome.text == words.say(language, "answer.person", contact=VOICE.contact)


async def test_the_note_to_the_model_speaks_the_shops_language(opened: Opener) -> None:
    desk = opened([written("50元。"), written("Hello.")], shirt)
    await desk.ask("how much", language="en")
    assert desk.prompts()[-1].facts.endswith(prompt.correction("price", "zh"))


# ------------------------------------------------------------------------------------------------ room in the prompt


def fits(most: int, answer: str = "好的。") -> Callable[[Request], Answered]:
    """An engine whose context holds so many messages."""

    def script(request: Request) -> Answered:
        return TooLong("too long") if len(request.messages) > most else written(answer)

    return script


async def test_what_no_longer_fits_is_folded_into_one_line_and_tried_again(opened: Opener) -> None:
    desk = opened(fits(8))
    for n in range(4):
        await desk.ask(f"第{n}个问题")
    outcome = await desk.ask("最后的问题")
    assert outcome.text == "好的。"
    conversation = await desk.conversation()
    assert conversation.folded == "问过第1个问题"
    assert [exchange.body for exchange in conversation.exchanges] == [("第2个问题",), ("第3个问题",), ("最后的问题",)]
    assert desk.prompts()[1].body[0] == "顾客：test zh\n此前：问过第1个问题\n"


async def test_folding_goes_on_until_the_question_stands_alone(opened: Opener) -> None:
    desk = opened(fits(100))
    for n in range(6):
        await desk.ask(f"第{n}个问题")
    sizes: list[int] = []

    def small(request: Request) -> Answered:
        sizes.append(len(request.messages))
        return TooLong("too long") if len(request.messages) > 2 else written("好的。")

    desk.engine._script = small
    assert (await desk.ask("最后")).text == "好的。"
    assert sizes == [14, 8, 4, 2]


async def test_a_question_that_does_not_fit_alone_is_an_error(opened: Opener) -> None:
    with pytest.raises(TooLong):
        await opened(fits(1)).ask("很长")


async def test_an_engine_that_fails_is_the_callers_to_answer_for(opened: Opener) -> None:
    with pytest.raises(EngineError):
        await opened([EngineError("the engine is gone")]).ask("在吗")


async def test_more_turns_than_the_shop_keeps_are_folded(opened: Opener) -> None:
    voice = Voice(
        shop="a",
        contact="b",
        label="",
        language="zh",
        system=VOICE.system,
        max_tokens=9,
        history_turns=4,
        notice_after_s=8,
    )
    desk = opened(fits(100), voice=voice)
    for n in range(6):
        await desk.ask(f"第{n}个问题")
    conversation = await desk.conversation()
    assert [exchange.body for exchange in conversation.exchanges] == [("第3个问题",), ("第4个问题",), ("第5个问题",)]
    assert "第2个问题" in conversation.folded


# ------------------------------------------------------------------------------------------------ the notice


SLOW = Estimate(first_s=20, whole_s=42, ahead=2)


async def test_a_slow_answer_is_announced_once_and_before_it_is_asked_for(opened: Opener) -> None:
    desk = opened(
        [written("", Action.LOOK_UP, SEEN), written("50元。"), written("89元。")], shirt_when_seen, estimate=SLOW
    )
    outcome = await desk.ask(PHOTO, "多少钱")
    ((text, estimate),) = desk.told
    assert text == words.say("zh", "notice.photo_queue", seconds=" 50 秒", ahead=2)
    assert estimate is SLOW
    assert outcome.trace.notice == text


async def test_a_fast_answer_is_not_announced(opened: Opener) -> None:
    desk = opened([written("好的。")], estimate=Estimate(first_s=1, whole_s=8, ahead=3))
    outcome = await desk.ask("在吗")
    assert desk.told == []
    assert outcome.trace.notice is None


async def test_the_notice_comes_in_the_shops_words_or_the_customers_language(opened: Opener) -> None:
    desk = opened([written("Hello.")], estimate=SLOW)
    await desk.ask("hello there", language="en")
    assert desk.told[0][0] == words.say("en", "notice.words_queue", seconds="50 seconds", ahead=2)


# ------------------------------------------------------------------------------------------------ small things


async def test_the_label_stands_before_the_text_when_the_shop_has_one(opened: Opener) -> None:
    assert opened([]).dialogue.voice.labelled("您好。") == "您好。"
    named = Voice(
        shop="a", contact="b", label="AI 客服", language="zh", system=VOICE.system, max_tokens=9, history_turns=4,
        notice_after_s=8,
    )  # fmt: skip
    assert opened([], voice=named).dialogue.voice.labelled("您好。") == "【AI 客服】您好。"


async def test_photos_can_be_looked_at_before_their_words_come(opened: Opener) -> None:
    desk = opened([])
    await desk.dialogue.warm([PHOTO])
    assert desk.engine.warmed == [(VOICE.system, (PHOTO,))]
