"""Words that promise or report without a figure: «对折», «免运费», «已经给您退款了».

The guard lets them pass only where the shop's own lines say the same.
"""

from __future__ import annotations

import re

#: What is promised → how it is said (lower case, numerals in digits).
_PROMISES = {
    "half": r"对折|半价|半折|减半|(?:便宜|省|减|少)了?一半|half[ -](?:the )?price|half off|half of the price",
    "gift": r"买\S{1,3}[送赠]|免费[送赠]|白送|[送赠]您?一[件条双只个份]|赠送|buy one|free gift|as a gift",
    "free": r"免单|免费(?![送赠])|不要钱|不收钱|不收费|for free|free of charge|waive",
    "postage": r"包邮|免[运邮]费?|不收[运邮]费|[运邮]费全免|free shipping|ships? free|shipping is free|no shipping",
    "for ever": r"终身|永久|一辈子|lifetime|for ?ever",
}
_PROMISED = {name: re.compile(words) for name, words in _PROMISES.items()}

#: What was done → how the shop's orders write it.
_DONE = {
    verb: status
    for status, verbs in {
        "已退款": "退款 退 到账 refunded",
        "已取消": "取消 cancelled canceled",
        "已下单": "下单 placed",
        "已改": "改 changed",
        "已换": "换 exchanged",
        "已发货": "发货 寄 发出 shipped sent",
        "已补发": "补发",
        "已登记": "登记 registered",
        "已签收": "签收",
        "已付款": "付款",
    }.items()
    for verb in verbs.split()
}
_VERBS = "|".join(sorted((verb for verb in _DONE if not verb.isascii()), key=len, reverse=True))
_ENGLISH = "|".join(verb for verb in _DONE if verb.isascii())
_DEED = re.compile(
    rf"已经?(?:帮|给|为|替)?(?:您|你)?(?:的?\S{{0,4}}?)(?P<zh>{_VERBS})"
    rf"|(?:帮|给|为|替)(?:您|你)(?P<then>{_VERBS})\S{{0,3}}了"
    rf"|(?:\bi|\bwe)(?:'ve| have)?(?: just| already)? (?P<en>{_ENGLISH})\b"
    rf"|\bhas been (?P<been>{_ENGLISH})\b"
)


def promised(text: str) -> set[str]:
    """Which promises a text makes; the text folded and in lower case."""
    return {name for name, words in _PROMISED.items() if words.search(text)}


def done(text: str) -> set[str]:
    """What a text says was done, as the shop's orders write it («已退款»)."""
    return {_DONE[next(filter(None, match.groups()))] for match in _DEED.finditer(text)}
