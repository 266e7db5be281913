"""Whole conversations: a customer, his orders and a photo, and round after round of one of the shop's two languages."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from bot import prompt
from bot.model import Conversation, Customer, Exchange
from inference.demo.dialogues import Picture, Round, Talk
from inference.demo.english import EnglishTalk
from inference.demo.english import rounds as english_rounds
from inference.demo.shelf import near, order


def conversation(
    rng: random.Random,
    pick: Callable[[], Picture],
    sections: Sequence[tuple[str, str]],
    *,
    most_lines: int = 3,
    rounds: int = 4,
) -> Conversation:
    """A whole conversation of about ``rounds`` rounds; one in twelve is English."""
    english = rng.random() < 0.08
    talk = EnglishTalk(rng, pick, most_lines) if english else Talk(rng, pick, most_lines)
    first = talk.new_photo(clear=True) if rng.random() < 0.5 else None
    item, talk.looking = talk.item, False
    if rng.random() < 0.45:
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            name = "" if item is None else item.name if rng.random() < 0.5 else near(item, rng)
            talk.orders.append(order(rng, name))
    language = "en" if english else "zh"
    head = prompt.head(
        rng.choice(("web", "telegram", "wecom", "ask")), language, [o.text(parcel=False) for o in talk.orders]
    )
    out: list[Exchange] = []
    if first is not None and not english:  # the photo that the orders were made for
        kept, number = talk.pick, int(first.sha256, 16)
        talk.pick = lambda: (number, item)
        if rng.random() < 0.4:
            out += talk.about(fresh=True)
        else:
            out += (talk.compare if rng.random() < 0.7 else talk.complain)([talk.new_photo()])
        talk.pick = kept
    else:
        talk.item = None
    if isinstance(talk, EnglishTalk):
        out += english_rounds(talk, rounds)
    while len(out) < rounds:
        out += _next(talk, sections)
    if rng.random() < 0.05:  # he goes on in the other language, and is answered in it
        state = (rng, pick, most_lines, talk.orders, talk.item, talk.looking, talk.known)
        out += _next(Talk(*state), sections) if english else english_rounds(EnglishTalk(*state), 1)
    return Conversation(
        id=1,
        customer=Customer(channel="web", account="", id="1"),
        language="en" if english else "zh",
        head=head,
        exchanges=tuple(out),
    )


def _next(talk: Talk, sections: Sequence[tuple[str, str]]) -> Round:
    def again() -> Round:
        return talk.about(fresh=False) if talk.looking else talk.missing()

    intents: tuple[tuple[int, Callable[[], Round]], ...] = (
        (34, lambda: talk.about(fresh=True)), (22, again), (15, talk.named), (5, talk.browse), (9, talk.order_state),
        (10, lambda: talk.policy(sections)), (5, talk.chat), (3, talk.person), (5, talk.missing),
    )  # fmt: skip
    return talk.rng.choices([i for _, i in intents], [w for w, _ in intents])[0]()
