"""Words that promise or report without a figure: «对折», «免运费», «已经给您退款了», «your refund has been processed».

The guard lets them pass only where the shop's own lines say the same.
"""

from __future__ import annotations

import re

_SHOP = r"(?:我们?|咱们?|店里|本店|小店|商家|卖家)"
_POSTAGE = r"(?:运费|邮费)"
_YOU = r"(?:您|你)"

#: What is promised → how it is said (lower case, numerals in digits).
_PROMISES = {
    "bargain": r"骨折价|跳楼价|白菜价",
    "half": r"对折|半价|半折|减半|(?:便宜|省|减|少)了?一半|half[ -](?:the )?price|half off|half of the price",
    "gift": (
        r"买\S{1,3}[送赠]|免费[送赠]|白送|赠送|buy one|free gift|as a gift"
        rf"|(?:[送赠]给?{_YOU}|[再另还]送)\s?[一两\d]?\s?[件条双只个份把张顶盒支瓶套箱袋块根枚]"
    ),
    "free": r"免单|免费(?![送赠])|不要钱|不收钱|不收费|for free|free of charge|waive",
    "postage": r"包邮|免[运邮]费?|不收[运邮]费|[运邮]费全免|free shipping|ships? free|shipping is free|no shipping",
    # Said of this customer's parcel, and not of the shop's rule.
    "postage paid": (
        rf"{_POSTAGE}[^。;]{{0,16}}{_SHOP}来?(?:出|付|包|承担|负担)|{_SHOP}来?(?:出|付|包|承担|负担)\S{{0,2}}{_POSTAGE}"
        rf"|{_POSTAGE}算{_SHOP}|{_POSTAGE}[^。;!?]{{0,3}}免了|(?:不用|不要|不必|无需|免去){_YOU}?[出付掏给]?{_POSTAGE}"
        rf"|{_POSTAGE}(?:都|就)?(?:不用|不要|不必|无需)"
        r"|\b(?:we|i)(?:'ll| will)? (?:pay|cover)[^.]{0,12} (?:shipping|postage)"
    ),
    "for ever": r"终身|永久|一辈子|lifetime|for ?ever",
    "manifold": r"双倍|加倍[赔退补返]|\b(?:double|twice|triple) (?:the|your) (?:money|price)",
    "whole": r"全额[退赔补]|全部?[退赔](?:给|款|偿)|\bin full\b|\bfull (?:refund|compensation)",
    # What only a person of the shop can do, and the bot says it is about to.
    "deed to come": (
        rf"(?:马上|立刻|立即|现在|这就|这边|尽快|稍后|{_SHOP}来?|客服|(?<!不)会)(?:就|先|会|尽快|马上)?[帮给为替]{_YOU}"
        r"(?:申请|办理|安排)?(?:退(?!换)|取消|补发|赔|换|改)"
        r"|\b(?:i|we)(?:'ll| will)(?: now| gladly| also)? (?:refund|cancel|compensate|replace)\b"
        r"|\b(?:i|we)(?:'ll| will|'m| am|'re| are)(?: now| gladly| also)? send(?:ing)?(?: you)?(?: out)?"
        r" (?:a (?:new|replacement)|another|the replacement)\b"
    ),
}
_PROMISED = {name: re.compile(words) for name, words in _PROMISES.items()}
#: «满99元包邮» is another promise than «包邮».
_FROM_A_SUM = re.compile(
    r"满|达到|超过|不足|不到|凑|以[上内下]|\b(?:over|above|from|more than|at least|less than|under)\b"
)

#: How the shop's orders write what became of them → what else says so, as verbs.
DEEDS = {
    "已退款": "退款 退 退回 到账 赔偿 refunded credited returned",
    "已取消": "取消 cancelled canceled",
    "已下单": "下单 placed",
    "已改": "改 修改 更改 变更 更新 changed updated",
    "已换": "换 exchanged",
    "已发货": "发货 寄 发出 shipped sent dispatched",
    "已补发": "补发 replaced",
    "已登记": "登记 备注 registered",
    "已签收": "签收 送达 delivered arrived",
    "派送中": "派送 派件",
    "已付款": "付款 paid",
    "已完成": "完成 completed complete",
    "已办理": (
        "办理 处理 办好 提交 申请 安排 通知 催促 催 联系 转接 转人工 转给 转交 通过"
        " processed issued arranged approved submitted handled initiated notified"
    ),
}
_STATUS = {verb: status for status, verbs in DEEDS.items() for verb in verbs.split()}
#: Says that something was done, but not what: that stands beside it.
_OPEN = ("已办理", "已完成")
_WHAT = (
    ("已补发", re.compile(r"补发|重新[发寄]|新的|另一|换的|replacement|new one|another one")),
    ("已退款", re.compile(r"退款|退货|赔|refund|money")),
    ("已取消", re.compile(r"取消|cancel")),
    ("已换", re.compile(r"换货|exchange")),
    ("已改", re.compile(r"地址|address")),
)


def _any(verbs: list[str]) -> str:
    return "|".join(sorted(verbs, key=len, reverse=True))


_VERB = _any([verb for verb in _STATUS if not verb.isascii()])
_PARTICIPLE = _any([verb for verb in _STATUS if verb.isascii()])
#: What a rule speaks of, or what is asked, denied or wished, is no report of a deed.
_IF = r"如果|要是|假如|若|是否"
_NOT_DONE = (
    # «申请», «先生», «会员», «特别» and «不好意思» deny nothing.
    rf"[没未能想要等需]|不(?!好意思)|(?<!特)别|会(?!员)|先(?!生)|(?<!申)请|可以|怎么|{_IF}"
    r"|\b(?:if|no|not|any|each|every|once|when|after|before|until|unless|want|like|need|get)\b"
)
_MARK = r"\s*(?:$|[,。.!;~～…、])"
_ADVERBS = r"(?: (?:now|just|already|also|been|\w+ly))*"
_DEED = re.compile(
    # «已退款», «已经帮您把订单取消», «退款已为您办理»; «已签收的商品» is a rule's condition.
    rf"已经?[^,。;!?]{{0,8}}?(?P<zh>{_VERB})(?!不|的[\u3400-\u9fff]{{2}})"
    rf"|[帮给为替]{_YOU}[^,。;!?]{{0,4}}?(?P<then>{_VERB})\S{{0,3}}了"
    # «订单取消成功», «地址改好了», «退款了»; what follows «付款成功后» is a rule again.
    rf"|(?P<well>{_VERB})(?:申请)?(?:成功|完成|完毕|[好妥掉]了)(?!\s*[后之再时的]|[吗么没])"
    rf"|(?P<just>{_VERB})[出好]?了(?:哦|呢|啦|哈)?(?={_MARK})"
    rf"|(?:\bi|\bwe)(?:'ve| have|'d| had)?{_ADVERBS} (?P<en>{_PARTICIPLE})\b"
    rf"|\b(?:was|were|has|have|has been|have been|got){_ADVERBS} (?P<been>{_PARTICIPLE})\b"
    rf"|(?:\bis|\bare|'s){_ADVERBS} (?P<now>{_PARTICIPLE})(?=\s*(?:$|[,.!;])| and\b)"
    rf"|已经?(?P<end>成功)了?(?={_MARK})"
    # «已经到了», «您的快递到了»; what was seen, received or asked for is no parcel.
    rf"|(?P<there>已经?到(?:了|达|家|货|店|站|{_YOU})|{_YOU}的[^,。;!?看查收找得等拿想见说用提]{{1,12}}到了(?={_MARK}))"
    rf"|在(?P<going>派送|派件)|(?P<under>派送|派件)中(?={_MARK})"
    # «Refund issued.», «Order ZG260118 cancelled.»
    r"|\b(?:order|refund|return|exchange|replacement|payment|parcel|package|address)"
    rf"(?: request)?(?: [a-z]{{1,4}}\d{{3,20}})?{_ADVERBS} (?P<bare>{_PARTICIPLE})(?=\s*(?:$|[.!]))"
    r"|\b(?P<way>on (?:its|the) way)\b"
)
#: What says it without the verb itself.
_MEANT = {"way": "sent", "end": "办理", "there": "送达"}
_CLAUSE = re.compile(r"[^,。;!?\n]+")


def promised(text: str) -> set[str]:
    """Which promises a text makes; the text folded and in lower case."""
    out = {name for name, words in _PROMISED.items() if words.search(text)}
    return {f"{name} from a sum" if name == "postage" and _FROM_A_SUM.search(text) else name for name in out}


def done(text: str) -> set[str]:
    """What a text says was done, as the shop's orders write it («已退款»)."""
    out: set[str] = set()
    for clause in _CLAUSE.finditer(text):
        asked = clause[0].endswith(("吗", "么", "没有")) or text.startswith("?", clause.end())
        for deed in _DEED.finditer(clause[0]):
            loose = deed["well"] or deed["just"] or deed["there"] or deed["bare"]
            before = _NOT_DONE if loose else _IF
            if asked or re.search(before, clause[0][: deed.start()]):
                continue
            verb = next((verb for group, verb in _MEANT.items() if deed[group]), None)
            out.add(_said_of(_STATUS[verb or next(filter(None, deed.groups()))], clause[0]))
    return out


def _said_of(status: str, clause: str) -> str:
    """What was done by a verb that leaves it open; and of a parcel, whether it is the first or another one."""
    for meant, words in _WHAT:
        if (status in _OPEN or (status, meant) == ("已发货", "已补发")) and words.search(clause):
            return meant
    return status
