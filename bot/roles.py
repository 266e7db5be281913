"""What an amount is for: a price, a sum to reach, a fee, a deposit, a reduction, money back.

«满99元包邮» proves that postage is free from 99 yuan on; it proves no voucher of 99 yuan, and no postage of 99 yuan.
"""

from __future__ import annotations

import re
from decimal import Decimal

from bot.claims import FIGURE, Claims, claims, value
from bot.numerals import EN_MONEY, MEASURE, TIME
from bot.sentences import clauses
from bot.vocabulary import named

#: (what it is for, the amount)
Role = tuple[str, Decimal]

_YOU = r"(?:给?[您你]|给)?(?: you)?"
_IS = r"(?:只?[是为要收付交:\s]|另){0,2}"
_UNIT = rf"\s?(?:元|块|圆|{EN_MONEY})?钱?的?\s?"
#: «满3件», «满7天» speak of no money.
_AMOUNT = rf"[¥$]?(?P<figure>{FIGURE})(?:\s*(?P<scale>[百千万k])(?![a-z]))?(?!\s*(?:{TIME}|{MEASURE}|[\d%折]))"
_POSTAGE = r"[运邮]费|shipping|postage|delivery"
#: «省8元运费», «补8元运费» speak of the fee.
_NO_FEE = rf"(?!(?:{FIGURE}){_UNIT}[运邮]费)"
_NOTHING = r"(?!)"

#: What an amount is for → what stands right before it and right behind it (lower case, numerals in digits), and the
#: words that leave it open: in a line of the shop they tell what an amount is for that nothing stands right beside.
_WORDS = {
    "sum": (
        r"(?:满|凑|不足)[了到足够齐]?|\b(?:free|orders?)[^.,;\d]{0,20}\b(?:over|above|from|at least) ",
        r"(?:以上|起)就?(?:包邮|免[运邮])",
        r"满|超过|达|以上|包邮|免[运邮]|over|above|from|least|free",
    ),
    "fee": (
        rf"(?:{_POSTAGE})(?: fee| cost)?(?: is| costs?| of)?{_IS}",
        rf"(?:for |of )?(?:{_POSTAGE})",
        _POSTAGE,
    ),
    "deposit": (rf"(?:[押定订]金|deposit(?: is| of)?){_IS}", r"(?:[押定订]金|deposit)", r"[押定订]金|deposit"),
    "off": (
        rf"(?:减|省|抵|返现?|便宜|优惠|(?<![配寄派发])送|\bsave){_YOU}{_IS}{_NO_FEE}",
        r"(?:优惠|抵用|代金|现金|红包|券|off\b|discount|voucher|coupon)",
        r"减|省|抵|返|优惠|便宜|券|红包|送|off|discount|save|voucher|coupon",
    ),
    "back": (
        (
            rf"(?:(?:赔[偿付]?|退[款还回]?|refund(?:ed)?(?: of)?|compensat(?:e|ion)(?: of| with)?){_YOU}{_IS}"
            rf"|补[偿贴]?{_YOU}{_IS}{_NO_FEE})"
        ),
        r"(?:退款|赔偿|补偿|back\b|refund|compensation)",
        r"赔|补|退|refund|compensat",
    ),
    # Of a thing that has no name here; one that has is compared with its own lines.
    "price": (rf"(?:[这那][件款个条双只顶把张台套]|它|(?<!加)价格?|卖)(?:的?价格?|卖)?{_IS}", _NOTHING, _NOTHING),
}
_BESIDE = {
    role: (re.compile(rf"(?:{before}){_AMOUNT}"), re.compile(rf"{_AMOUNT}{_UNIT}{behind}"))
    for role, (before, behind, _) in _WORDS.items()
}
_NEAR = {role: re.compile(words) for role, (_, _, words) in _WORDS.items()}


def roles(said: Claims) -> set[Role]:
    """What a text says its amounts are for."""
    amounts = {amount for amount, _ in said.amounts}
    found = {
        (role, value(m["figure"], m["scale"]))
        for role, either in _BESIDE.items()
        for words in either
        for m in words.finditer(said.whole)
    }
    return {(role, amount) for role, amount in found if amount in amounts}


def proven(said: Claims) -> frozenset[Role]:
    """What a line of the shop says its amounts are for: by the words beside each, or else by all that the line speaks
    of («运费：江浙沪5元，其他8元»); an amount beside a thing's name is its price.
    """
    beside = roles(said)
    clear = {amount for _, amount in beside}
    open_to = {role for role, words in _NEAR.items() if words.search(said.whole)}
    out = set(beside)
    for clause in clauses(said.whole):
        for amount, _ in claims(clause).amounts:
            if amount not in clear:
                out |= {(role, amount) for role in ({"price"} if named(clause) else {"price", *open_to})}
    return frozenset(out)
