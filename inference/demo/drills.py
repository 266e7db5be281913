"""Rows that exercise one skill as densely as it goes: copying, looking, judging what was sent.

In whole conversations a tower of this size learns to write good sentences long before it looks or copies; with a share
of drills it looks after some dozens of steps, and keeps looking only while they go on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from tokenizers import Tokenizer

from bot import answer, prompt
from bot.model import Conversation, Customer
from inference.demo import dialogues, shelf, tokens, wordings
from inference.demo.dialogues import Picture, Talk
from inference.demo.items import COLOURS, KINDS, PATTERNS, Item
from inference.demo.towers import MERGED
from inference.llama import chat

_ASKS = ("what", "colour", "pattern", "count", "material", "damage", "both", "what")


def copying(tokenizer: Tokenizer, rng: random.Random) -> tokens.Row:
    """Product lines, and then one look-up in them after the other: bare names and prices, or as customers ask."""
    row, bare = tokens.Row([], [], [], []), rng.random() < 0.4
    # Of different kinds, the last word of a name is enough to find its line; that is learned first.
    kinds = [rng.choice(KINDS)] * 8 if rng.random() < 0.5 else rng.sample(KINDS, 8)
    made = [shelf.line(rng, rng.choice(COLOURS), rng.choice(PATTERNS), kind) for kind in kinds]
    lines = list({entry.name: entry for entry in made[: rng.randint(2, 8) if bare else rng.randint(1, 4)]}.values())
    told = [f"{entry.name} {entry.price}元" if bare else entry.text for entry in lines]
    row.put(tokenizer.encode("资料：" + "".join(f"\n{text}" for text in told) + "\n").ids)
    for _ in range(rng.randint(10, 16) if bare else rng.randint(6, 9)):
        for text, chosen in _priced(rng, lines) if bare else _asked(rng, lines):
            row.put(tokenizer.encode(text).ids, chosen=chosen)
    return row


def _priced(rng: random.Random, lines: Sequence[shelf.Line]) -> list[tuple[str, bool]]:
    entry = rng.choice(lines)
    if rng.random() < 0.25:  # the other way round: whose is it?
        return [(f"{entry.price}元", False), (entry.name, True), ("。", False)]
    return [(entry.name, False), (f"{entry.price}元", True), ("。", False)]


def _asked(rng: random.Random, lines: Sequence[shelf.Line]) -> list[tuple[str, bool]]:
    """A question about one of the lines, or about something that is not among them, and its answer."""
    talk = Talk(rng, lambda: (0, None))
    entry = rng.choice(lines)
    ask = rng.choice(("price", "price", "stock", "stock", "price_stock", "size", "material"))
    if rng.random() < 0.2:
        entry = shelf.line(rng, rng.choice(COLOURS), rng.choice(PATTERNS), entry.kind)
    words = talk.words(wordings.NAMED[ask], entry.kind, x=talk.called(entry))
    if all(entry.name != there.name for there in lines):
        return [(words, False), (dialogues.instead(entry, lines), True)]
    right = next(there for there in lines if there.name == entry.name)
    return [(words, False), (right.answer(ask), True)]


def looking(tokenizer: Tokenizer, rng: random.Random, pick: Callable[[], Picture]) -> tokens.Row:
    """Two or three pictures, each with many short questions and its record."""
    row = tokens.Row([], [], [], [])
    for _ in range(rng.randint(2, 3)):
        talk = Talk(rng, pick)
        number = int(talk.new_photo().sha256, 16)
        row.put(tokenizer.encode(chat.VISION_START).ids)
        row.show(number, tokenizer.token_to_id("<|image_pad|>"), MERGED)
        row.put(tokenizer.encode(chat.VISION_END).ids)
        for ask in rng.sample(_ASKS, 6):
            row.put(tokenizer.encode(talk.words(wordings.ABOUT_PHOTO[ask])).ids)
            row.put(tokenizer.encode(talk.judged(dialogues.TELL[ask]).reply).ids, chosen=True)
        (first, *_) = talk.trade([], "price")
        assert first.answer is not None
        for text, forced in tokens.segments(chat.Written(answer.dump(first.answer))):
            row.put(tokenizer.encode(text).ids, chosen=not forced)
    return row


def ordered(
    rng: random.Random,
    pick: Callable[[], Picture],
    named: Mapping[str, Sequence[int]],
    item: Callable[[int], Item | None],
) -> Conversation:
    """One order, and photo after photo of what was sent: half of them the right thing, the others nearly so.

    ``named``: the clear pictures of each name.
    """
    wanted = None
    while wanted is None or wanted.quality != "清晰":
        _, wanted = pick()
    orders = [shelf.order(rng, wanted.name)] + ([shelf.order(rng)] if rng.random() < 0.2 else [])
    rng.shuffle(orders)

    def sent() -> Picture:
        while True:
            name = wanted.name if rng.random() < 0.5 else shelf.near(wanted, rng)
            if name in named:
                number = rng.choice(named[name])
                return number, item(number)

    talk = Talk(rng, sent, orders=orders)
    head = prompt.head(rng.choice(("web", "telegram", "wecom", "ask")), "zh", [o.text(parcel=False) for o in orders])
    rounds = [talk.compare([talk.new_photo()]) for _ in range(2)]
    return Conversation(
        id=1,
        customer=Customer(channel="web", account="", id="1"),
        language="zh",
        head=head,
        exchanges=tuple(exchange for round_ in rounds for exchange in round_),
    )
