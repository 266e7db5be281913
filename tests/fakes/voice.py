"""How a shop speaks whose model goes by script."""

from __future__ import annotations

from bot.ports import Message
from bot.voice import Voice

VOICE = Voice(
    shop="小满杂货",
    contact="hello@xiaoman.example",
    label="",
    language="zh",
    system=Message(role="system", body=("你是小满杂货的客服。",)),
    max_tokens=99,
    history_turns=20,
    notice_after_s=8,
)
