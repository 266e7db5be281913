"""Numbers in one spelling: «九十九», «９９», «⑨⑨», «9️⃣9️⃣», «9 9», «ninety-nine» all become «99».

Two texts can only be compared by their figures when both were brought here first. A numeral that is no figure («一下»,
«万一», «one of them») is left as it is.
"""

from __future__ import annotations

import re
import unicodedata

# What a figure may be followed by, as parts of a regular expression.
TIME = r"天|日|号|点(?=[钟半前后整到至之发])|小时|分钟|个?工作日|周|星期|礼拜|个?月|年"
#: «三角形», «七成新» are no money.
MONEY = r"元|块|圆(?=整|\W|$)|[毛角](?=钱|\W|$)|分钱|折(?!伞|叠)|成(?![人年品套分新])"
MEASURE = r"[件条双只把顶张处道副颗粒朵根枚]|个(?!颜色|尺码|款|问题|地方|办法|选|原因|人|工作日|月|小时)"
OTHER = r"[位码寸斤岁米款种楼层次份]"
EN_MONEY = r"yuan|kuai|rmb|cny|usd|dollars?|bucks|euros?|percent|per cent"
EN_TIME = r"minutes?|hours?|hrs?|days?|weeks?|months?|years?|o'clock|[ap]\.?m\b"

_DIGITS = {ch: n for n, ch in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_SCALES = {"十": 10, "百": 100, "千": 1000}
#: The numerals of cheques.
_FORMAL = str.maketrans("壹贰貳俩叁參肆伍陆陸柒捌玖拾佰仟萬", "一二二两三三四五六六七八九十百千万")
_ANY = "零〇一二两三四五六七八九十百千万"
#: Numerals in words that are no figure: «by all means», «in case», «all year round», «together».
_IDIOM = re.compile(
    r"千万(?=[别不要注记小])|万一|一一|乱七八糟|七七八八|三三两两|一五一十|一年四季|一天到晚"
    r"|一块(?!钱|[一二三四五六七八九半\d])"
)
_UNIT = rf"(?:{MONEY}|{TIME}|{MEASURE}|[位码寸斤岁米倍欧])"
#: One numeral alone stands in every other sentence; it is a figure where a unit follows, or a range with one.
_HAN = re.compile(
    rf"(?P<percent>百分之)?(?P<whole>[{_ANY}]{{2,}})(?:点(?P<fraction>[零一二三四五六七八九]+))?"
    rf"|(?P<digit>[{_ANY}])(?:点(?P<tenths>[零一二三四五六七八九]+)|(?=\s*[来多余几]?\s*{_UNIT}|\s*[到至~-]\s*[{_ANY}\d]+\s*{_UNIT}))"
    rf"|(?<=[赔罚])(?P<owed>[{_ANY}])"
    rf"|(?<=[块元])(?P<cents>[一二三四五六七八九])(?=[毛角]|\W|$)|(?P<half>半(?=价|年|个月|小时|天[^,。;!?]{{0,3}}[内后就到发送]))"
)
_EN_WORDS = {
    w: n
    for n, w in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen""".split()
    )
} | {w: 10 * n for n, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_EN_ANY = "|".join([*_EN_WORDS, "hundred", "thousand"])
_EN = re.compile(
    rf"\b(?:{_EN_ANY})(?:[\s-]+(?:and\s+)?(?:{_EN_ANY}))*\b"
    rf"(?=([\s-]*(?:{EN_MONEY}|{EN_TIME}|left|in stock|pieces|pcs|to\b))?)"
)
#: «89块9», «89元9角»: what a price tag writes as 89.9.
_CENTS = re.compile(
    rf"(?<!\d)(\d+)\s*(?:块\s*(\d)(?!\d|\.|\s*(?:{MEASURE}|{TIME}|{OTHER}|[折块元]))[毛角]?|元\s*(\d)\s*[毛角])(?:钱)?"
)
#: «一年半», «两个半月».
_HALF = re.compile(r"(?<!\d)(\d+)(?:(年|天|周|个?小时|个?月|个?星期)半(?!价)|个半(月|小时|星期))")
#: A letter among figures: «12O元».
_LETTER_O = re.compile(rf"(?<=\d)o(?=\s?(?:元|块|{EN_MONEY}))")
_APART = re.compile(r"(?<![\d.,])\d(?: \d)+(?![\d.,])")


def folded(text: str) -> str:
    """Compatibility forms in their plain form, digits of every script as ASCII, invisible characters and marks gone."""
    out = []
    for ch in unicodedata.normalize("NFKC", text):
        digit = unicodedata.digit(ch, None)
        if digit is not None:
            out.append(str(digit))
        elif unicodedata.category(ch) not in ("Cf", "Mn", "Me"):
            out.append(ch)
    return "".join(out)


def plain(text: str) -> str:
    """The text as it is compared: folded, lower case, every number in digits."""
    text = _IDIOM.sub("～", folded(text).lower().translate(_FORMAL))
    text = _EN.sub(_english, _HAN.sub(_han, text))
    text = _APART.sub(lambda m: m[0].replace(" ", ""), text)
    text = _LETTER_O.sub("0", text)
    text = _HALF.sub(lambda m: f"{m[1]}.5{m[2] or m[3]}", text)
    return _CENTS.sub(lambda m: f"{m[1]}.{m[2] or m[3]}元", text)


def _han(m: re.Match[str]) -> str:
    """«一百零五» → 105; two numerals in a row are a range («三四天»), others are read one by one («九九» → 99)."""
    if m["half"]:
        return "5折" if m.string.startswith("价", m.end()) else "0.5"
    whole = m["whole"] or m["digit"] or m["cents"] or m["owed"]
    fraction = m["fraction"] or m["tenths"]
    left = re.search(r"(?:剩下?|仅有|最后)\s*$", m.string[: m.start()])
    if whole == "一" and not fraction and not left and re.match(MEASURE, m.string[m.end() :]):
        return "一"  # «一件» is «a», «只剩一件» is a stock
    if any(ch in _SCALES or ch == "万" for ch in whole):
        value = str(_in_order(whole))
    else:
        value = "".join(str(_DIGITS[ch]) for ch in whole)
        if (
            len(value) == 2
            and int(value[1]) == int(value[0]) + 1
            and not fraction
            and m.string[m.start() - 1 : m.start()] not in ("价", "格", ":")
        ):
            return "、".join(value) if re.match(rf"\s*{_UNIT}", m.string[m.end() :]) else m[0]
    if fraction:
        value += "." + "".join(str(_DIGITS[ch]) for ch in fraction)
    return value + ("%" if m["percent"] else "")


def _in_order(han: str) -> int:
    total = section = current = 0
    for ch in han:
        if ch in _SCALES:
            section, current = section + (current or 1) * _SCALES[ch], 0
        elif ch == "万":
            total, section, current = (total + section + current or 1) * 10_000, 0, 0
        else:
            current = _DIGITS[ch]
    return total + section + current


def _english(m: re.Match[str]) -> str:
    found = re.findall(r"[a-z]+", m[0])
    if not m[1] and len(found) == 1 and _EN_WORDS.get(found[0], 100) <= 12:
        return m[0]  # «one of them»
    total = current = 0
    for word in found:
        if word == "hundred":
            current = (current or 1) * 100
        elif word == "thousand":
            total, current = total + (current or 1) * 1000, 0
        else:
            current += _EN_WORDS.get(word, 0)  # «and» counts nothing
    return str(total + current)
