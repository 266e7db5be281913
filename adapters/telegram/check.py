"""What ``doctor`` says of the channel.

It asks about the bot and never for messages, since that would cut off a bot that is running.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from bot.errors import BotError
from bot.ports import Finding

from .errors import TokenRefused

_NETWORK = Finding(
    ok=True,
    what="polling needs no public address: behind a home router, or a firewall that lets HTTPS out, it works as it is; "
    "only a webhook needs an address that Telegram can reach",
)
_ALONE = Finding(
    ok=True,
    what="one program per token: if a second copy polls, each takes messages away from the other; /readyz and the log "
    "of the running bot say so when it happens",
)


class Source(Protocol):
    """What the check needs of the Bot API."""

    async def me(self) -> dict[str, Any]: ...

    async def webhook(self) -> dict[str, Any]: ...


async def findings(api: Source) -> Sequence[Finding]:
    try:
        me = await api.me()
        hook = await api.webhook()
    except TokenRefused as error:
        fix = "copy the token from @BotFather (/mybots, API Token) into the environment variable that token_env names"
        return [Finding(ok=False, what=f"Telegram refuses the token: {error}", fix=fix)]
    except BotError as error:
        fix = (
            "check that this machine reaches the internet and that base_url is right; where Telegram is blocked, set "
            "HTTPS_PROXY, or base_url and base_file_url to a Bot API server that can be reached"
        )
        return [Finding(ok=False, what=f"Telegram does not answer: {error}", fix=fix)]
    return [_token(me), _webhook(hook, datetime.now(UTC)), _NETWORK, _ALONE]


def _token(me: dict[str, Any]) -> Finding:
    rights = "private chats need no rights"
    if me.get("can_join_groups"):
        rights += "; it can be added to groups, where it answers nobody"
    return Finding(
        ok=True, what=f"Telegram accepts the token: the bot is @{me.get('username', me.get('id'))}; {rights}"
    )


def _webhook(hook: dict[str, Any], now: datetime) -> Finding:
    count = hook.get("pending_update_count", 0)
    waiting = f"{count} message{'' if count == 1 else 's'} wait{'s' if count == 1 else ''} at Telegram"
    if not hook.get("url"):
        return Finding(ok=True, what=f"no webhook is set, as polling needs it; {waiting}")
    what = f"a webhook is set, so polling gets nothing; {waiting}"
    if (failed := hook.get("last_error_date")) and (why := hook.get("last_error_message")):
        minutes = max(0, round((now.timestamp() - failed) / 60))
        what += f"; its last delivery failed {minutes} min ago: {why}"
    fix = "`run` removes it and keeps the messages; if it comes back, another program uses this bot: stop that one"
    return Finding(ok=False, what=what, fix=fix)
