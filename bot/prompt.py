"""What the model reads: the one place where a conversation becomes messages.

Laid out so that what is computed once stays computed: what all customers share (persona, policy heads, the answer's
format), then the customer's head, then exchange after exchange, each with the facts that it needed. Nothing that was
rendered is ever rendered otherwise; the golden files in ``tests/bot/golden`` hold it, because the shipped model was
trained on exactly this text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from bot import answer
from bot.model import Conversation, Exchange, Fact, PolicySection
from bot.ports import Message

#: Variables that a shop's own prompt may use, and its persona.
VARIABLES = frozenset({"shop", "contact", "persona", "policy"})
PERSONA_VARIABLES = frozenset({"shop", "contact"})

_FACTS = {"zh": "资料：", "en": "Facts:"}
_NOTHING = {"zh": "资料：无", "en": "Facts: none"}
_FOLDED = {"zh": "此前：", "en": "Earlier: "}


def system(template: str, *, shop: str, contact: str, persona: str, policy: Sequence[PolicySection]) -> Message:
    """What all customers of a shop share. ``template`` and ``persona`` were checked by :func:`bot.config.template`."""
    heads = "\n".join(f"{section.title}：{section.passages[0]}" for section in policy if section.passages)
    who = persona.format(shop=shop, contact=contact)
    text = template.format(shop=shop, contact=contact, persona=who.strip(), policy=heads)
    return Message(role="system", body=(text.strip(),))


def sha256(message: Message) -> str:
    """Names a system text: a model that is tied to one carries this."""
    return hashlib.sha256("".join(str(part) for part in message.body).encode()).hexdigest()


def head(channel: str, language: str, lines: Sequence[str]) -> str:
    """The customer's head: channel, language, order lines. Ends with a line break."""
    return "\n".join([f"顾客：{channel} {language}", *lines]) + "\n"


def facts(lines: Sequence[Fact], language: str, *, looked: bool = False) -> str:
    """The lines that the shop's data adds to a message; ``looked``: say so when there are none."""
    if not lines:
        return _NOTHING[language] if looked else ""
    return "\n".join([_FACTS[language], *(fact.text for fact in lines)])


def messages(shared: Message, conversation: Conversation, language: str) -> tuple[Message, ...]:
    """The whole prompt of a conversation; ``language`` is the shop's, in which its data is written."""
    out = [shared]
    opening = conversation.head
    if conversation.folded:
        opening += f"{_FOLDED[language]}{conversation.folded}\n"
    for at, exchange in enumerate(conversation.exchanges):
        body = exchange.body if at or not opening else (opening, *exchange.body)
        looked = not exchange.body
        out.append(Message(role="user", body=body, facts=facts(exchange.facts, language, looked=looked)))
        if exchange.answer is not None:
            out.append(Message(role="assistant", body=(answer.dump(exchange.answer),)))
    return tuple(out)


def ask(conversation: Conversation, exchange: Exchange) -> Conversation:
    """The conversation with one more exchange at its end."""
    return replace(conversation, exchanges=(*conversation.exchanges, exchange))


def correction(reason: str | None, language: str) -> str:
    """The line that a second try gets: what was wrong with the first."""
    zh, en = {
        "price": ("不要说资料里没有的价格。", "do not state a price that is not in the facts."),
        "date": ("不要说资料里没有的日期。", "do not state a date that is not in the facts."),
        "link": ("不要说资料里没有的网址。", "do not state a link that is not in the facts."),
        "deed": ("不要说资料里没有做过的事。", "do not say that something was done."),
        "order": ("把照片和订单逐项核对。", "compare the photo with the order item by item."),
        "length": ("说短一点。", "be brief."),
        "form": ("按规定的格式回答。", "keep to the agreed form."),
        "repetition": ("不要重复。", "do not repeat yourself."),
    }.get(reason or "", ("不要说资料里没有的数字。", "do not state a figure that is not in the facts."))
    return f"注意：{zh}" if language == "zh" else f"Note: {en}"


def folded(before: str, exchanges: Sequence[Exchange], language: str) -> str:
    """One line for exchanges that no longer fit, by rule: what was seen, which order, the last wish."""
    seen, orders, wish = [], [], ""
    for exchange in exchanges:
        if exchange.answer is not None and (s := exchange.answer.seen) is not None:
            seen.append(s.colour + s.kind)
        orders += [fact.id.removeprefix("order:") for fact in exchange.facts if fact.id.startswith("order:")]
        wish = " ".join(part for part in exchange.body if isinstance(part, str))[:40] or wish
    sep = "、" if language == "zh" else ", "
    labels = {"zh": ("看过", "订单", "问过"), "en": ("showed ", "order ", "asked: ")}[language]
    parts = [
        label + sep.join(dict.fromkeys(what))
        for label, what in zip(labels, (seen, orders, [wish]), strict=True)
        if any(what)
    ]
    # What was folded before is kept as far as a line goes; the newest words stand last.
    return "；".join(filter(None, [before[-60:], *parts]))
