"""Rounds of a conversation to learn from, one after the other, as the product would render them.

A :class:`Talk` draws a customer – head, orders, photos – and then round after round an intent, the customer's
words, the fact lines that the shop's search would add, and the right answer. Figures are random everywhere, so
that what can only be copied is copied.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bot.model import Action, Answer, Defect, Exchange, Fact, Photo, Seen
from inference.demo import wordings as W
from inference.demo.items import COLOURS, KINDS, MEASURES, PATTERNS, Item
from inference.demo.shelf import Line, OrderFact, kind_of, line, match, near, order

#: Draws a picture of the gallery: its number and what is on it (None: not of this shop).
Picture = tuple[int, Item | None]
QUALITY = {"清晰": "clear", "太暗": "dark", "模糊": "blurred"}

NOT_OURS = "这看起来不像本店的商品，我不敢乱说。"
TOO_DARK = "照片太暗了，看不清，麻烦在亮一点的地方再拍一张。"
TOO_BLURRED = "照片有点模糊，看不清，麻烦再拍一张清楚的。"
NO_DEFECT = "照片上没看到破损，能拍近一点吗？"
WHICH_ORDER = "请告诉我订单号和手机号后4位，我来核对。"
WHICH_ONE = "您问的是哪一款？发张照片或说说名字。"
SEND_PHOTO = "还没有收到照片，发一张给我看看吧。"
SEND_DAMAGE = "请拍一张看得清问题的照片发我。"
NOT_FOUND = "本店没有这一款。"
NOT_KNOWN = "这个资料里没有写，我不敢乱说。"

Round = tuple[Exchange, ...]


def photo(number: int) -> Photo:
    """A picture of the gallery as the prompt knows photos: by its hash, which here is its number."""
    return Photo(sha256=f"{number:064x}", media_type="image/jpeg", width=128, height=128)


def seen(item: Item) -> Seen:
    return Seen(
        kind=item.kind, colour=item.colour, pattern=item.pattern, count=item.count,
        defects=() if item.defect is None else (Defect(what=item.defect, where=str(item.place)),),
        quality=QUALITY[item.quality],
    )  # fmt: skip


def say(reply: str, action: Action = Action.NONE, record: Seen | None = None) -> Answer:
    return Answer(action=action, seen=record, reply=reply)


def amount(item: Item) -> str:
    return f"这是一{MEASURES[item.kind]}" if item.count == 1 else f"图里有{item.count}{MEASURES[item.kind]}"


def damage(item: Item) -> str:
    return f"{item.place}有{item.defect}" if item.defect else "没有看到破损"


def instead(wanted: Line, lines: Sequence[Line]) -> str:
    """What is said when none of the lines is the one that was asked for: the first in the same style, or the first."""
    style = wanted.name[2:]
    best = next((entry for entry in lines if entry.name[2:] == style), lines[0])
    return f"没有{wanted.name}，有{best.name}，{best.price}元。"


#: What is said of an item when it is asked about.
TELL: dict[str, Callable[[Item], str]] = {
    "what": lambda i: f"{amount(i)}{i.name}{'，' + damage(i) if i.defect else ''}。",
    "colour": lambda i: f"是{i.colour}的。",
    "pattern": lambda i: "是纯色的，没有花纹。" if i.pattern == "纯色" else f"是{i.pattern}的。",
    "count": lambda i: f"图里有{i.count}{MEASURES[i.kind]}。",
    "material": lambda i: f"看起来是{i.material}的。",
    "damage": lambda i: f"{damage(i)}。",
    "both": lambda i: f"是{i.colour}的，{damage(i)}。",
    "use": lambda i: W.USES[i.kind],
}


@dataclass
class Talk:
    """One customer, round after round."""

    rng: random.Random
    pick: Callable[[], Picture]
    most_lines: int = 3
    orders: list[OrderFact] = field(default_factory=list)
    item: Item | None = None
    looking: bool = False
    known: Line | None = None

    def exchange(self, body: Sequence[str | Photo], lines: Sequence[str], answer: Answer) -> Exchange:
        return Exchange(
            body=tuple(body), facts=tuple(Fact(id=f"f{k}", text=t) for k, t in enumerate(lines)), answer=answer
        )

    def words(self, wordings: Sequence[str], kind: str = "", **more: str) -> str:
        text = self.rng.choice(wordings)
        kind = kind or (self.item.kind if self.item else self.rng.choice(KINDS))
        text = text.format(n=self.rng.choice(W.NICKNAMES[kind]), m=MEASURES[kind], **more)
        return W.typed(text, self.rng)

    def new_photo(self, *, clear: bool = False) -> Photo:
        while True:
            number, item = self.pick()
            if not clear or (item is not None and item.quality == "清晰"):
                break
        self.item, self.looking, self.known = item, True, None
        return photo(number)

    def stray(self, words: str = "") -> list[str]:
        """What a weak search adds without need: goods of a kind that the words name, a passage of the policy."""
        r = self.rng
        named = [kind for kind, names in W.NICKNAMES.items() if any(name in words for name in names[:2])]
        if named and r.random() < 0.6:
            return [
                line(r, r.choice(COLOURS), r.choice(PATTERNS), named[0]).text
                for _ in range(r.randint(1, self.most_lines))
            ]
        if "订单" in words and self.orders:
            return [o.text(parcel=True) for o in self.orders]
        if r.random() > 0.12:
            return []
        return [self.policy_line()[0] for _ in range(r.choice((1, 1, 2)))]

    def policy_line(self) -> tuple[str, str, str]:
        """(line, question, answer)"""
        r = self.rng
        title, text, questions = r.choice(W.POLICY)
        p, q = r.sample(("新疆", "西藏", "内蒙古", "青海", "海南", "甘肃", "宁夏", "云南"), 2)
        g, h = r.sample(KINDS, 2)
        values = {"a": str(r.randint(2, 40) * 5 - r.choice((0, 1))), "b": str(r.randint(5, 48)),
            "s": str(r.randint(1, 9)), "u": str(r.randint(10, 15)),
                  "p": p, "q": q, "g": g, "h": h, "k": r.choice(("顺丰", "中通", "圆通", "京东", "韵达"))}  # fmt: skip
        question, answer = r.choice(questions).format(**values), text.format(**values)
        if r.random() < 0.35:  # a line of the frequent questions: asked in other words, answered alike
            return f"{r.choice(questions).format(**values)}？：{answer}", question, answer
        return f"{title}：{answer}", question, answer

    # ------------------------------------------------------------------ about a photo

    def about(self, *, fresh: bool) -> Round:
        """A question about the newest photo; ``fresh``: which comes with it."""
        r = self.rng
        body: list[str | Photo] = [self.new_photo()] if fresh else []
        if fresh and r.random() < 0.06:
            return self.pair(body)
        ask = r.choice(("what", "what", "colour", "colour", "pattern", "count", "material", "damage", "damage",
            "both", "use", "is_colour",
                        "price", "stock", "price_stock", "price", "size", "ordered", "ordered", "broken",
                        "alone" if fresh else "what", "unknown"))  # fmt: skip
        if ask in ("price", "stock", "price_stock", "size"):
            return self.trade(body, ask)
        if ask == "ordered":
            return self.compare(body)
        if ask == "broken":
            return self.complain(body)
        if ask == "alone":
            answer = self.judged(
                lambda i: f"{amount(i)}{i.name}{'，' + damage(i) if i.defect else ''}。您想问它的什么？"
            )
            return (self.exchange(body, (), answer),)
        if ask == "unknown":
            return (
                self.exchange([*body, self.words(W.UNKNOWN_PROPERTY)], self.stray(), self.judged(lambda _: NOT_KNOWN)),
            )
        colour = r.choice(COLOURS) if self.item is None or r.random() < 0.5 else self.item.colour
        words = self.words(W.ABOUT_PHOTO[ask], c=r.choice((colour, colour[0] + "色")))
        if not fresh and r.random() < 0.25:
            words = r.choice(("刚才那张，", "那它呢，", "前面那个", "上面这张照片，", "还是那个，", "它")) + words
        tell = TELL | {"is_colour": lambda i: f"{'是的' if i.colour == colour else '不是'}，是{i.colour}的。"}
        two = [body[0], words] if fresh and r.random() < 0.85 else [words, *body]
        if fresh and r.random() < 0.03:
            two.append(self.words(W.TALK["hello"][0]))
        return (self.exchange(two, self.stray(words), self.judged(tell[ask])),)

    def judged(self, tell: Callable[[Item], str]) -> Answer:
        """What every photo must pass before anything is said of it."""
        if self.item is None:
            return say(NOT_OURS)
        if self.item.quality == "太暗":
            return say(TOO_DARK, Action.NEED_PHOTO)
        if self.item.quality == "模糊":
            return say(TOO_BLURRED, Action.NEED_PHOTO)
        return say(tell(self.item))

    def trade(self, body: list[str | Photo], ask: str) -> Round:
        """Price, stock or size of what the photo shows: look it up first, unless it was looked up already."""
        r = self.rng
        words = self.words(W.ABOUT_PHOTO[ask])
        if self.known is not None:
            return (self.exchange([*body, words], (), say(self.known.answer(ask))),)
        item = self.item
        stray = self.stray(words)
        if item is None or item.quality != "清晰":
            return (self.exchange([*body, words], stray, self.judged(str)),)
        if (
            stray and stray[0].split()[0].endswith(item.kind) and r.random() < 0.4
        ):  # the words named it, the search found it
            self.known = line(r, item.colour, item.pattern, item.kind, item.material)
            stray[r.randrange(len(stray))] = self.known.text
            return (self.exchange([*body, words], stray, say(self.known.answer(ask))),)
        if item.name in [text.split()[0] for text in stray]:
            stray = []
        first, held = self.record([*body, words], stray), self.held(item.name)
        chance = r.random()
        if chance < 0.15:
            return first, self.exchange((), held, say(NOT_FOUND))
        if chance < 0.35:  # other colours of it
            number = min(r.choice((1, 1, 2, self.most_lines)), self.most_lines - len(held))
            others = r.sample([c for c in COLOURS if c != item.colour], number)
            lines = [line(r, c, item.pattern, item.kind) for c in others]
            style = ("" if item.pattern == "纯色" else item.pattern) + item.kind
            there = f"没有{item.colour}的{style}，有{lines[0].name}，{lines[0].price}元。"
            return first, self.exchange((), [*held, *(entry.text for entry in lines)], say(there))
        found = line(r, item.colour, item.pattern, item.kind, item.material)
        self.known = found
        return first, self.exchange((), [*held, found.text], say(found.answer(ask)))

    def record(self, body: Sequence[str | Photo], lines: Sequence[str]) -> Exchange:
        """The photo is looked up: what is seen of it stands in the conversation from now on, last the name that the
        shop has for it, to be copied from there.
        """
        assert self.item is not None
        return self.exchange(body, lines, say(self.item.name, Action.LOOK_UP, seen(self.item)))

    def compare(self, body: list[str | Photo]) -> Round:
        """«Is this what I ordered?» The photo is looked up, and the shop's data says whether an order has it."""
        item = self.item
        words = self.words(W.ORDERED)
        lines = self.stray(words)
        if item is None or item.quality != "清晰":
            return (self.exchange([*body, words], lines, self.judged(str)),)
        if not self.orders:
            asked = self.exchange([*body, words], lines, say(WHICH_ORDER, Action.NEED_ORDER))
            return (asked, *self.perhaps_given())
        first = self.record([*body, words], lines)
        return first, self.exchange((), [*self.held(item.name), *self.found(item)], self.verdict(item))

    def held(self, name: str) -> list[str]:
        """What was recorded, held against the orders by the shop's data: a tower of this size compares badly."""
        if not self.orders:
            return []
        return [match(name if any(name == ordered for o in self.orders for ordered, _ in o.goods) else "")]

    def verdict(self, item: Item) -> Answer:
        """Whether the newest photo shows one of the things ordered."""
        names = [name for o in self.orders for name, _ in o.goods]
        if item.name in names:
            more = f"，不过{damage(item)}" if item.defect else ""
            return say(f"照片里是{item.name}，和您订的一致{more}。")
        other = f"和您订的{names[0]}不一样" if len(names) == 1 else "和您订的都不一样"
        return say(f"照片里是{item.name}，{other}。", Action.COMPLAINT, seen(item))

    def found(self, item: Item) -> list[str]:
        """What the shop's data has of a thing that was recorded: itself, or the same in other colours, or nothing."""
        r = self.rng
        chance = r.random()
        if chance < 0.2:
            return []
        if chance < 0.4:
            colours = r.sample([c for c in COLOURS if c != item.colour], r.randint(1, self.most_lines - 1))
            return [line(r, c, item.pattern, item.kind).text for c in colours]
        self.known = line(r, item.colour, item.pattern, item.kind, item.material)
        return [self.known.text]

    def complain(self, body: list[str | Photo]) -> Round:
        item, words = self.item, self.words(W.BROKEN)
        lines = self.stray(words)
        if item is None or item.quality != "清晰":
            answer = self.judged(str)
        elif not self.orders:
            asked = self.exchange([*body, words], lines, say(WHICH_ORDER, Action.NEED_ORDER))
            return (asked, *self.perhaps_given())
        elif item.defect is None:
            answer = say(NO_DEFECT, Action.NEED_PHOTO)
        else:
            answer = say(f"从照片上看，{damage(item)}，很抱歉。", Action.COMPLAINT, seen(item))
        return (self.exchange([*body, words], lines, answer),)

    def pair(self, body: list[str | Photo]) -> Round:
        """Two photos at once, compared."""
        r, one = self.rng, self.item
        body = [*body, self.new_photo()]
        two = self.item
        ask = r.choice((("same", ("这两个一样吗", "两张是同一款吗？", "有什么区别", "一样不",
            "这两个有什么不同", "是一样的吗？")),
                        ("what", ("这两个是什么", "分别是什么", "看看这两张", "两张都是什么", "都是啥")),
                        ("colour", ("分别是什么颜色", "两个什么颜色", "颜色一样吗",
                        "这两张什么颜色的？"))))  # fmt: skip
        words = self.words(ask[1])
        if one is None or two is None or "清晰" not in (one.quality, two.quality) or one.quality != two.quality:
            which = [n for n, i in (("第一张", one), ("第二张", two)) if i is None]
            if which:
                text = f"{'两张' if len(which) == 2 else which[0]}看起来不像本店的商品，我不敢乱说。"
                return (self.exchange([*body, words], (), say(text)),)
            dark = [(n, i) for n, i in (("第一张", one), ("第二张", two)) if i is not None and i.quality != "清晰"]
            where = "两张照片都" if len(dark) == 2 else f"{dark[0][0]}照片"
            return (self.exchange([*body, words], (), say(f"{where}看不清，麻烦重拍一下。", Action.NEED_PHOTO)),)
        if ask[0] == "colour":
            text = (
                f"都是{one.colour}的。"
                if one.colour == two.colour
                else f"第一张是{one.colour}的，第二张是{two.colour}的。"
            )
        else:
            text = f"都是{one.name}。" if one.name == two.name else f"第一张是{one.name}，第二张是{two.name}。"
            if ask[0] == "same":
                text = ("一样，" if one.name == two.name else "不一样，") + text
        return (self.exchange([*body, words], (), say(text)),)

    # ------------------------------------------------------------------ without a photo

    def named(self) -> Round:
        """A product by its name; the search has found lines, among them others."""
        r = self.rng
        kind, pattern, colour = r.choice(KINDS), r.choice(PATTERNS), r.choice(COLOURS)
        right = line(r, colour, pattern, kind)
        ask = r.choice(("price", "price", "stock", "price_stock", "size", "material"))
        words = self.words(W.NAMED[ask], kind, x=self.called(right))
        number = r.randint(1, self.most_lines)
        others: list[Line] = []
        while len(others) < number:
            c, p = (r.choice(COLOURS), pattern if r.random() < 0.6 else r.choice(PATTERNS))
            if (c, p) != (colour, pattern) and all(o.name != line(r, c, p, kind).name for o in others):
                others.append(line(r, c, p, kind))
        if r.random() < 0.15:
            return (self.exchange([words], [o.text for o in others], say(instead(right, others))),)
        lines = [right, *others[: number - 1]]
        r.shuffle(lines)
        self.known = right
        self.item, self.looking = None, False
        rest: Round = (self.exchange([words], [o.text for o in lines], say(right.answer(ask))),)
        if r.random() < 0.3:
            again = r.choice(("price", "stock", "size", "price_stock"))
            wording = [w for w in W.ABOUT_PHOTO[again] if "{" not in w and "这" not in w]
            rest = (*rest, self.exchange([self.words(wording)], (), say(right.answer(again))))
        # Further questions about the lines that stand above: each is one more thing to copy, at the cost of its words.
        for _ in range(r.choice((0, 1, 2, 3))):
            entry, ask = r.choice(lines), r.choice(("price", "stock", "price_stock", "size", "material"))
            words = self.words(W.NAMED[ask], kind, x=entry.name)
            rest = (*rest, self.exchange([words], [entry.text] if r.random() < 0.3 else (), say(entry.answer(ask))))
            self.known = entry
        return rest

    def called(self, entry: Line) -> str:
        """Its name, or what a customer makes of it."""
        r, colour = self.rng, entry.name[:2]
        if r.random() >= 0.35:
            return entry.name
        nickname = r.choice(W.NICKNAMES[entry.kind])
        return entry.name.replace(entry.kind, nickname).replace(colour, r.choice((colour, colour[0], f"{colour}的")), 1)

    def browse(self) -> Round:
        r = self.rng
        kind = r.choice(KINDS)
        found: dict[str, Line] = {}
        for _ in range(r.randint(1, self.most_lines)):
            entry = line(r, r.choice(COLOURS), r.choice(PATTERNS), kind)
            found[entry.name] = entry
        lines = sorted(found.values(), key=lambda o: o.stock == 0)
        self.item, self.looking, self.known = None, False, None
        if r.random() < 0.5:
            text = "有" + "，".join(f"{o.name}{o.price}元" for o in lines) + "。"
            return (self.exchange([self.words(W.BROWSE, kind)], [o.text for o in lines], say(text)),)
        best = lines[0]
        text = f"推荐{best.name}，{best.price}元，有现货。" if best.stock else f"{best.name}暂时缺货，要不看看别的？"
        return (self.exchange([self.words(W.SUGGEST, kind)], [o.text for o in lines], say(text)),)

    def order_state(self) -> Round:
        r = self.rng
        if not self.orders:
            if r.random() < 0.5:
                return (self.given(),)
            asked = self.exchange([self.words(W.ORDER_STATE)], self.stray(), say(WHICH_ORDER, Action.NEED_ORDER))
            return (asked, *self.perhaps_given())
        if r.random() < 0.25:
            text = (
                "您订的是" + "，".join(f"{n}{MEASURES[kind_of(g)]}{g}" for o in self.orders for g, n in o.goods) + "。"
            )
            return (self.exchange([self.words(W.ORDER_WHAT)], (), say(text)),)
        text = "；".join(o.state(parcel=True) for o in self.orders) + "。"
        return (self.exchange([self.words(W.ORDER_STATE)], [o.text(parcel=True) for o in self.orders], say(text)),)

    def given(self) -> Exchange:
        """He tells his order, perhaps that of the thing in his photo: what became of it is said."""
        r, item = self.rng, self.item
        name = "" if item is None or r.random() < 0.3 else item.name if r.random() < 0.5 else near(item, r)
        mine = order(r, name)
        self.orders.append(mine)
        words = self.words(W.GIVES_ORDER, o=mine.number, d=str(r.randint(1000, 9999)))
        return self.exchange([words], [mine.text(parcel=True)], say(mine.state(parcel=True) + "。"))

    def perhaps_given(self) -> Round:
        """He was asked for his order."""
        return (self.given(),) if self.rng.random() < 0.6 else ()

    def policy(self, sections: Sequence[tuple[str, str]]) -> Round:
        """Answered from a line, or, where the search found none, from the heads in the system text."""
        r = self.rng
        if r.random() < 0.3:
            title, passage = r.choice(sections)
            questions = [
                q for t, p, q in W.POLICY if t == title and (p[:2] == passage[:2] or title in ("质保", "发货"))
            ][:1] or [q for t, _, q in W.POLICY if t == title][:1]
            plain = [q for q in questions[0] if "{" not in q]
            return (self.exchange([self.words(plain)], (), say(passage)),)
        text, question, answer = self.policy_line()
        lines = [text]
        if r.random() < 0.35:
            stray = self.policy_line()
            if stray[2][:4] != answer[:4] and stray[0].split("：")[0] != text.split("：")[0]:
                lines.append(stray[0])
                r.shuffle(lines)
        return (self.exchange([W.typed(question, r)], lines, say(answer)),)

    def chat(self) -> Round:
        asks, reply = W.TALK[
            self.rng.choice(
                ("hello", "hello", "thanks", "thanks", "bye", "who", "sell", "nonsense", "nonsense", "attack", "attack")
            )
        ]
        return (self.exchange([W.typed(self.rng.choice(asks), self.rng)], self.stray(), say(reply)),)

    def person(self) -> Round:
        return (self.exchange([self.words(W.PERSON)], self.stray(), say("", Action.PERSON)),)

    def missing(self) -> Round:
        """A photo, a name or an order is meant, and is not there."""
        r = self.rng
        if self.known is None and not self.looking and r.random() < 0.6:
            if r.random() < 0.5:
                return (self.exchange([self.words(W.NO_PHOTO)], self.stray(), say(SEND_PHOTO, Action.NEED_PHOTO)),)
            return (self.exchange([self.words(W.NO_NAME)], self.stray(), say(WHICH_ONE, Action.NEED_PHOTO)),)
        if not self.looking and r.random() < 0.6:
            answer = say(SEND_DAMAGE, Action.NEED_PHOTO) if self.orders else say(WHICH_ORDER, Action.NEED_ORDER)
            words = self.words(W.BROKEN_UNSEEN)
            return (self.exchange([words], self.stray(words), answer),)
        words = self.words(W.NOT_SOLD_ASK, t=r.choice(W.NOT_SOLD))
        return (self.exchange([words], self.stray(), say("本店没有这个商品。")),)
