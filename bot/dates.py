"""The days that a text names: «11月20日», «明天», «on Friday», «当天送到»."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bot.numerals import EN_TIME, MEASURE, OTHER, TIME

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = rf"(?P<name>{'|'.join(_MONTHS)})(?:[a-z]{{1,6}})?\.?"
_NTH = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_DATES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?:(?P<year>\d{2,4})\s*年\s*)?(?<!\d)(?P<month>\d{1,2})\s*月(?![内后])(?:份|\s*(?P<day>\d{1,2})\s*[日号]?)?",
        r"(?<!\d)(?P<day>\d{1,2})\s*号(?![码线楼店])",
        r"(?<![\d/.-])(?P<year>\d{4})([-/.])(?P<month>0?[1-9]|1[0-2])\2(?P<day>[0-3]?\d)(?![\d/-])",
        (
            r"(?<![\d/.-])(?P<month>0?[1-9]|1[0-2])[-/](?P<day>0?[1-9]|[12]\d|3[01])"
            rf"(?![\d/]|-\d|\s*(?:{TIME}|{EN_TIME}|{MEASURE}|{OTHER}|折))"
        ),
        rf"\b{_MONTH}\s+{_NTH}\b(?:,?\s*(?P<year>\d{{4}}))?",
        r"\b(?:on|by|until|before) the (?P<day>\d{1,2})(?:st|nd|rd|th)\b(?!\s+(?:of|photo|picture|image|one|line))",
        rf"\b{_NTH}\s+(?:of\s+)?{_MONTH}(?![a-z])(?:,?\s*(?P<year>\d{{4}}))?",
    )
)
#: «今天天气不错» is no promise, «今天发货» is one.
_PROMISED = r"(?=[^,。;]*[发到送寄达])"
_WEEKDAYS = zip("一二三四五六日", "mon tues wednes thurs fri satur sun".split(), strict=True)
_DAYS = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        (
            "there that day",
            (
                r"当[天日晚](?:[就能会可都便]|可以|下午){0,2}(?:[到达送收]|[寄发]到)"
                r"|\b(?:deliver|arriv|reach)\w{0,6}[^.,;]{0,20}\bsame[- ]day|\bsame[- ]day (?:delivery|arrival)"
            ),
        ),
        ("sent that day", r"当[天日晚](?=[^,。;]{0,8}[发寄])|\bsame[- ]day\b"),
        *(
            (part, rf"{part}(?:[就前能会]|可以|之前|左右){{0,2}}[发到送寄]")
            for part in "早上 上午 中午 下午 傍晚 晚上".split()
        ),
        ("these days", r"[这近过]几天(?:[就能会内便]|可以){0,2}[到发送寄收]"),
        ("day before yesterday", r"前天(?!的)"),
        ("yesterday", r"昨[天日晚]|\byesterday\b"),
        ("today", rf"(?:今[天日晚]|本周|这周){_PROMISED}|\b(?:today|tonight|this week)\b"),
        ("in three days", r"大后[天儿]"),
        ("in two days", r"后[天儿]|\bday after tomorrow\b"),
        ("tomorrow", r"明[天日早晚儿](?!见)|[次隔][日天][达到送]?|\btomorrow\b(?! then)|\bwithin (?:a|one) day\b"),
        ("in a fortnight", r"\bfortnight\b"),
        ("a feast", r"元旦|春节|除夕|国庆|中秋|端午|清明|圣诞|年前|\bchristmas\b|\bnew year\b"),
        ("the end of the year", r"年底|年末|\bend of the year\b"),
        ("the middle of the month", r"月中"),
        ("next week", r"下(?:个?星期|个?礼拜|周)|\bnext week\b"),
        ("next month", r"下个?月|月底|\bnext month\b"),
        ("weekend", rf"周末{_PROMISED}|\b(?:arriv|ship|deliver|sen[dt]|com).*\bweekend\b"),
        *((f"weekday {n}", rf"(?:周|星期|礼拜)[{han}{n}]|\b{en}days?\b") for n, (han, en) in enumerate(_WEEKDAYS, 1)),
        ("weekday 7", r"(?:星期|礼拜)天"),
        *((f"lunar {n}", rf"(?<![当最起年])初{han}(?!的?学)") for n, han in enumerate("一二三四五六七八九十", 1)),
    )
)


def dates(text: str) -> tuple[set[str], str]:
    """The days that a text names, each in one form whatever its spelling («11-20»), and the text without them."""
    out: set[str] = set()

    def put(m: re.Match[str]) -> str:
        found = m.groupdict()
        month = found.get("month") or (_MONTHS.index(found["name"]) + 1 if found.get("name") else None)
        year, day = found.get("year"), found.get("day")
        parts = (year, month, day) if day else (year, month, "0")
        out.add("-".join(str(int(part)) for part in parts if part))
        return " "

    for pattern in _DATES:
        text = pattern.sub(put, text)
    for name, pattern in _DAYS:
        text, times = pattern.subn(" ", text)
        if times:
            out.add(name)
    return out, text


def wider(days: Iterable[str]) -> frozenset[str]:
    """Days as they may be said again: without the year, the month or the day alone."""
    known = set(days)
    out = set(known)
    for date in known:
        *_, month, day = ["", *date.split("-")]
        out |= {day, f"{month}-{day}", f"{month}-0"}
    return frozenset(out)
