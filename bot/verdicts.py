"""«This is what you ordered», in the words that a reply may say it in, and the opposite."""

from __future__ import annotations

import re

_BUY = r"(?:订|买|拍|下单|购买)"
_HIS = rf"[您你]的?(?:{_BUY}的|订单)"
#: «the mug you ordered», «your order»
_HIS_EN = r"(?:your order|(?:what|the [^.,;]{1,40}|one|item|thing) you(?:'ve| have)? (?:ordered|bought))"

_OTHER = re.compile(
    rf"(?:和|跟|与){_HIS}[^,。;]{{0,20}}?(?:不(?:太|大|完全|是)?(?:一样|一致|相符|相同|符合|匹配|同)|不符|对不上|有出入)"
    rf"|(?:不是|并非|不像){_HIS}|{_HIS}(?:可|并)?不是(?:这|它|照片|图)"
    r"|(?<!没)(?<!没有)(?<!不会)(?<!未)(?:发|寄|拿|装|配)错"
    rf"|(?:\bnot|n't|\bdiffer(?:s|ent)?)\b[^.,;]{{0,20}}?\b{_HIS_EN}|\bwrong (?:one|item|thing|product|colou?r|size)\b"
)
_SAME = re.compile(
    rf"(?:和|跟|与){_HIS}[^,。;]{{0,20}}?(?:一致|一样|一模一样|相符|相同|符合|匹配|对得上|同一)"
    rf"|(?<!不)是{_HIS}|{_HIS}(?:就|正)?是(?:这|它|照片|图)|(?:没有?|未)(?:发|寄|拿|装|配)错"
    r"|\bas (?:you )?ordered\b"
    rf"|\b(?:same|match(?:es|ing)?)\b[^.,;]{{0,12}}?\b{_HIS_EN}|(?:\bis|'s)(?: exactly| indeed| just)? {_HIS_EN}"
)
_ASKED = re.compile(r"如果|要是|若|是否|是不是|有没有|怎么|[吗么呢]\s*$|\b(?:if|whether)\b")


def verdict(clause: str) -> tuple[bool, int] | None:
    """(whether a clause says that something is what was ordered, or that it is not; where it says so), or ``None``.

    The clause in lower case.
    """
    if _ASKED.search(clause):
        return None
    if other := _OTHER.search(clause):
        return False, other.start()
    same = _SAME.search(clause)
    return (True, same.start()) if same else None


def of_order(clause: str) -> bool:
    """Whether a clause speaks of what was ordered, without a verdict: «您订的是红色T恤»."""
    return re.search(rf"{_HIS}|\b{_HIS_EN}", clause) is not None
