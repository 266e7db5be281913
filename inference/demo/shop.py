"""What the model is tied to: the demonstration shop's system text, as the product renders it with its defaults."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from bot import config, knowledge, prompt
from bot.model import Action, Answer, Conversation, Customer, Exchange, Knowledge
from bot.ports import Message

ROOT = Path(__file__).parents[2]


@cache
def data() -> Knowledge:
    return knowledge.read(ROOT / "demo")


def sections() -> tuple[tuple[str, str], ...]:
    """Title and first passage of each section: what stands in every prompt."""
    return tuple((section.title, section.passages[0]) for section in data().policy)


def system() -> Message:
    shop = config.Shop()
    return prompt.system(
        config.template(ROOT / "bot/prompts/brief.zh.md"), shop=shop.name, contact=shop.contact,
        persona=config.template(ROOT / "demo/persona.zh.md"), policy=data().policy,
    )  # fmt: skip


def recitals() -> list[Conversation]:
    """The shop's policy and frequent answers, said aloud: their words must be in the vocabulary."""
    texts = [(f"{s.title}：{p}", p) for s in data().policy for p in s.passages] + [
        (f.question, f.answer) for f in data().faq
    ]
    return [
        Conversation(
            id=n, customer=Customer(channel="web", account="", id=str(n)), language="zh", head="",
            exchanges=(Exchange(body=(question,), answer=Answer(action=Action.NONE, seen=None, reply=reply)),),
        )
        for n, (question, reply) in enumerate(texts * 8)
    ]  # fmt: skip
