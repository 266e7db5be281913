"""The same rounds in English: the customer's words and the answers; the shop's facts stay Chinese lines."""

from __future__ import annotations

from collections.abc import Callable

from bot.model import Action, Answer, Exchange, Photo
from inference.demo import dialogues as D
from inference.demo import shelf
from inference.demo import wordings as W
from inference.demo.items import COLOURS, ENGLISH, KINDS, PATTERNS, Item

WHERE = {
    "上方": "at the top",
    "下方": "at the bottom",
    "左边": "on the left",
    "右边": "on the right",
    "中间": "in the middle",
}
NOT_OURS = "This does not look like something from our shop, so I would rather not guess."
TOO_DARK = "The photo is too dark. Could you take it again in better light?"
TOO_BLURRED = "The photo is blurred. Could you take a sharper one?"
NO_DEFECT = "I see no damage in the photo. Could you take it closer?"
WHICH_ORDER = "Please tell me the order number and the last 4 digits of your phone."
WHICH_ONE = "Which one do you mean? Send a photo or its name."
SEND_PHOTO = "I have no photo yet. Please send one."
NOT_FOUND = "We do not have this one."
GOODS = "We sell dresses, T-shirts, trousers, shoes, caps, socks, mugs, backpacks, phone cases and umbrellas."


def name(item: Item) -> str:
    words = [ENGLISH[item.colour], *([] if item.pattern == "纯色" else [ENGLISH[item.pattern]]), ENGLISH[item.kind]]
    return " ".join(words)


def article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def translated(chinese: str) -> str:
    """A product's Chinese name in English."""
    kind = shelf.kind_of(chinese)
    rest = chinese.removesuffix(kind)
    return " ".join(ENGLISH[part] for part in (rest[:2], rest[2:], kind) if part)


def damage(item: Item) -> str:
    return f"{article(ENGLISH[item.defect])} {WHERE[str(item.place)]}" if item.defect else "no visible damage"


def several(item: Item) -> str:
    return f"{item.count} {name(item)}{'' if item.count == 1 or item.kind == '裤子' else 's'}"


def what(item: Item) -> str:
    text = f"This is {article(name(item))}" if item.count == 1 else f"The photo shows {several(item)}"
    return text + (f", with {damage(item)}." if item.defect else ".")


def on_shelf(entry: shelf.Line, ask: str) -> str:
    here = f"in stock, {entry.stock} left" if entry.stock else "out of stock"
    it = "The " + translated(entry.name)
    match ask:
        case "price":
            return f"{it} is {entry.price} yuan."
        case "stock":
            return f"{it} is {here}."
        case "size":
            return f"{it} comes in {entry.sizes}." if entry.sizes else f"{it} has no sizes."
    return f"{it} is {entry.price} yuan, {here}."


TELL: dict[str, Callable[[Item], str]] = {
    "what": what,
    "colour": lambda i: f"It is {ENGLISH[i.colour]}.",
    "pattern": lambda i: f"It is {ENGLISH[i.pattern]}.",
    "count": lambda i: f"The photo shows {i.count}.",
    "material": lambda i: f"It looks like {ENGLISH[i.material]}.",
    "damage": lambda i: f"There is {damage(i)}.",
    "both": lambda i: f"It is {ENGLISH[i.colour]}, with {damage(i)}.",
}


class EnglishTalk(D.Talk):
    def ask(self, key: str, **more: str) -> str:
        kind = self.item.kind if self.item else self.rng.choice(KINDS)
        return W.typed_english(self.rng.choice(W.ENGLISH_ASK[key]).format(n=ENGLISH[kind], **more), self.rng)

    def english(self) -> D.Round:
        r = self.rng
        chance = r.random()
        if chance < 0.7:
            fresh = not self.looking or r.random() < 0.6
            if not fresh or chance < 0.62:
                return self._about([self.new_photo()] if fresh else [])
        plain = {
            "hello": D.say("Hello, how can I help you?"), "thanks": D.say("You are welcome."),
            "person": D.say("", Action.PERSON),
            "sell": D.say(GOODS),
            "shipping": D.say("Free from 99 yuan, otherwise shipping is 8 yuan."),
            "returns": D.say("Within 7 days after delivery, except custom-made goods."),
            "attack": D.say("I cannot do that. I am glad to help with our goods or your order."),
        }  # fmt: skip
        if not self.looking and self.known is None:
            plain |= {"no_photo": D.say(SEND_PHOTO, Action.NEED_PHOTO), "no_name": D.say(WHICH_ONE, Action.NEED_PHOTO)}
        key = r.choice((*plain, "named", "named", "order"))
        if key == "order":
            return self._order()
        if key == "named":
            ask = r.choice(("price", "stock"))
            kind = r.choice(KINDS)
            found = [
                shelf.line(r, c, r.choice(PATTERNS), kind) for c in r.sample(COLOURS, r.randint(1, self.most_lines))
            ]
            self.known, self.item, self.looking = found[0], None, False
            r.shuffle(found)
            words = self.ask(f"named_{ask}", x=translated(self.known.name))
            return (self.exchange([words], [f.text for f in found], D.say(on_shelf(self.known, ask))),)
        return (self.exchange([self.ask(key)], (), plain[key]),)

    def _judged(self, text: Callable[[Item], str]) -> Answer:
        if self.item is None:
            return D.say(NOT_OURS)
        if self.item.quality != "清晰":
            return D.say(TOO_DARK if self.item.quality == "太暗" else TOO_BLURRED, Action.NEED_PHOTO)
        return D.say(text(self.item))

    def _about(self, body: list[str | Photo]) -> D.Round:
        r, item = self.rng, self.item
        ask = r.choice(
            (
                "what",
                "colour",
                "pattern",
                "count",
                "material",
                "damage",
                "damage",
                "both",
                "both",
                "price",
                "stock",
                "price_stock",
                "size",
                "ordered",
                "broken",
            )
        )
        words = self.ask(ask)
        clear = item is not None and item.quality == "清晰"
        if ask in TELL or item is None or not clear:
            return (self.exchange([*body, words], (), self._judged(TELL.get(ask, str))),)
        if ask == "ordered" and self.orders:
            found = [*self.held(item.name), *self.found(item)]
            return self.record([*body, words], ()), self.exchange((), found, self.verdict(item))
        if ask in ("ordered", "broken"):
            return (self.exchange([*body, words], (), self._after_sales(item)),)
        if self.known is not None:
            return (self.exchange([*body, words], (), D.say(on_shelf(self.known, ask))),)
        first, held = self.record([*body, words], ()), self.held(item.name)
        if r.random() < 0.2:
            return first, self.exchange((), held, D.say(NOT_FOUND))
        if r.random() < 0.2:
            other = shelf.line(r, r.choice([c for c in COLOURS if c != item.colour]), item.pattern, item.kind)
            there = f"there is the {translated(other.name)}, {other.price} yuan."
            text = f"We do not have it in {ENGLISH[item.colour]}, but {there}"
            return first, self.exchange((), [*held, other.text], D.say(text))
        self.known = shelf.line(r, item.colour, item.pattern, item.kind, item.material)
        return first, self.exchange((), [*held, self.known.text], D.say(on_shelf(self.known, ask)))

    def _after_sales(self, item: Item) -> Answer:
        if not self.orders:
            return D.say(WHICH_ORDER, Action.NEED_ORDER)
        if item.defect is None:
            return D.say(NO_DEFECT, Action.NEED_PHOTO)
        return D.say(f"I see {damage(item)}, I am sorry.", Action.COMPLAINT, D.seen(item))

    def verdict(self, item: Item) -> Answer:
        names = [g for o in self.orders for g, _ in o.goods]
        if item.name in names:
            but = f", but with {damage(item)}" if item.defect else ""
            return D.say(f"The photo shows {article(name(item))}, as you ordered{but}.")
        ordered = f"the {translated(names[0])} you ordered" if len(names) == 1 else "what you ordered"
        return D.say(f"The photo shows {article(name(item))}, not {ordered}.", Action.COMPLAINT, D.seen(item))

    def _order(self) -> D.Round:
        if not self.orders:
            return (self.exchange([self.ask("order")], (), D.say(WHICH_ORDER, Action.NEED_ORDER)),)
        states = {
            "待付款": "is waiting for payment",
            "已付款": "is paid and being prepared",
            "已发货": "has shipped",
            "已签收": "was delivered",
            "已退款": "was refunded",
        }
        parts = [
            f"Order {o.number} {states[o.status]}" + (f", {o.parcel[2:]}" if o.parcel else "") for o in self.orders
        ]
        return (
            self.exchange(
                [self.ask("order")], [o.text(parcel=True) for o in self.orders], D.say("; ".join(parts) + ".")
            ),
        )


def rounds(talk: EnglishTalk, number: int) -> list[Exchange]:
    out: list[Exchange] = []
    while len(out) < number:
        out += talk.english()
    return out
