"""``bot.toml``: every key with its default, and errors that name key, line and the nearest known key.

Secrets are never in the file; a key ending in ``_env`` names the environment variable that holds one.
"""

from __future__ import annotations

import os
import string
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)

from bot import toml
from bot.errors import ConfigError
from bot.prompt import VARIABLES


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


#: What ``str.format`` raises for a text that it cannot fill in.
_UNFILLED = (KeyError, IndexError, ValueError, AttributeError, TypeError)


def _label(text: str) -> str:
    """``ai_label`` with its one variable checked."""
    try:
        text.format(shop="")
    except _UNFILLED as exc:
        raise ValueError("only {shop} is filled in here; write {{ and }} for plain braces") from exc
    return text


def _notice(text: str) -> str:
    """``slow.text`` with its variables checked."""
    try:
        text.format(seconds="8 s", ahead=1)
    except _UNFILLED as exc:
        raise ValueError("only {seconds} and {ahead} are filled in here; write {{ and }} for plain braces") from exc
    return text


Label = Annotated[str, AfterValidator(_label)]
Notice = Annotated[str, AfterValidator(_notice)]


#: The name of ``[shop]`` where shops have names.
DEFAULT_SHOP = "default"


class ShopOverride(_Section):
    """``[shops.NAME]``: what differs for the accounts that name this shop; unset keys are those of ``[shop]``."""

    name: str | None = None
    contact: str | None = None
    language: Literal["zh", "en"] | None = None
    knowledge: str | None = None
    persona: str | None = None
    ai_label: Label | None = None


class Shop(_Section):
    name: str = "小满杂货"
    contact: str = "hello@xiaoman.example"
    language: Literal["zh", "en"] = "zh"
    #: Folder with products.csv, orders.csv, policy.md, faq.csv and pictures.
    knowledge: str = "demo"
    #: File with the persona; empty: ``persona.{language}.md`` of the knowledge folder.
    persona: str = ""
    #: Says that a machine answers; shown where the customer reads. ``{shop}`` is the shop's name.
    ai_label: Label = "AI 客服"

    @property
    def label(self) -> str:
        """``ai_label`` as customers read it."""
        return self.ai_label.format(shop=self.name)


class Storage(_Section):
    url: str = "sqlite:///data/bot.db"
    photos: str = "data/photos"

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        if not url.startswith("sqlite:///"):
            raise ValueError("begins with sqlite:/// (PostgreSQL is not supported yet)")
        return url


def _auto(least: int) -> WrapValidator:
    """What may be either is explained as one thing, not once for each."""

    def validated(value: Any, check: ValidatorFunctionWrapHandler) -> int | str:
        try:
            answer: int | str = check(value)
        except ValidationError as exc:
            raise ValueError(f'"auto" or a number, {least} or above') from exc
        return answer

    return WrapValidator(validated)


CountOrAuto = Annotated[Annotated[int, Field(ge=1)] | Literal["auto"], _auto(1)]


class Inference(_Section):
    backend: Literal["llama"] = "llama"
    #: «demo», a name that ``model list`` shows, or a path to a .gguf.
    model: str = "demo"
    #: Path of the projector that belongs to a .gguf given by path.
    mmproj: str = ""
    n_ctx: int = Field(8192, ge=1024)
    max_tokens: int = Field(256, ge=16)
    #: None of them: the processor computes.
    gpu_layers: Annotated[Annotated[int, Field(ge=0)] | Literal["auto"], _auto(0)] = "auto"
    threads: CountOrAuto = "auto"
    #: Conversations that are answered side by side.
    parallel: CountOrAuto = "auto"


class Photos(_Section):
    #: Bytes of a kept photo (JPEG).
    max_bytes: int = Field(1_000_000, ge=20_000)
    #: Pixels of a kept photo's shorter side.
    short_side: int = Field(768, ge=64)
    #: What a photo may cost the model.
    visual_tokens: Annotated[Annotated[int, Field(ge=16)] | Literal["auto"], _auto(16)] = "auto"
    max_upload_bytes: int = Field(20_000_000, ge=100_000)


class Dialogue(_Section):
    mode: Literal["answer", "off"] = "answer"
    #: Longest wait for the rest of a burst.
    merge_seconds: float = Field(1.5, ge=0)
    #: Exchanges that the prompt keeps word for word; what is older is folded into one line.
    history_turns: int = Field(20, ge=1)


class Slow(_Section):
    notice_after_seconds: float = Field(8, ge=0)
    #: The shop's own words instead of the built-in ones; {seconds} and {ahead} stand for the figures.
    text: Notice = ""


class Web(_Section):
    host: str = "127.0.0.1"
    port: int = Field(7860, ge=0, le=65535)
    #: Further addresses that the page may be opened under, as browsers send them: «https://shop.example».
    origins: list[str] = []
    #: Shows the shop window and, folded under each answer, how it came to be; off on a public site.
    demonstration: bool = True


class WebAdapter(_Section):
    enabled: bool = True


class TelegramAdapter(_Section):
    enabled: bool = False
    token_env: str = Field("TELEGRAM_TOKEN", description="the bot's token (from @BotFather)")
    mode: Literal["polling"] = "polling"
    base_url: str = "https://api.telegram.org/bot"
    base_file_url: str = "https://api.telegram.org/file/bot"
    shop: str = ""


class Adapters(_Section):
    web: WebAdapter = WebAdapter()
    telegram: TelegramAdapter = TelegramAdapter()


class Log(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class Config(_Section):
    shop: Shop = Shop()
    shops: dict[str, ShopOverride] = {}
    storage: Storage = Storage()
    inference: Inference = Inference()
    photos: Photos = Photos()
    dialogue: Dialogue = Dialogue()
    slow: Slow = Slow()
    web: Web = Web()
    adapters: Adapters = Adapters()
    log: Log = Log()

    @field_validator("shops")
    @classmethod
    def _named(cls, shops: dict[str, ShopOverride]) -> dict[str, ShopOverride]:
        if DEFAULT_SHOP in shops:
            raise ValueError(f"[shops.{DEFAULT_SHOP}] is the name of [shop] itself; give this shop another")
        return shops

    def shop_of(self, name: str) -> Shop:
        """The shop that an account names; ``[shop]`` when it names none. Raises :class:`ConfigError`."""
        if not name:
            return self.shop
        if name not in self.shops:
            raise ConfigError(f"shop: {name!r} is named, but there is no [shops.{name}]")
        changed = self.shops[name].model_dump(exclude_none=True)
        return self.shop.model_copy(update=changed)


def load(path: Path, env: Mapping[str, str] | None = None, *, secrets: bool = True) -> Config:
    """Reads and checks a configuration file. Raises :class:`ConfigError` with all that is wrong, a line each.

    ``secrets``: whether those of what is switched on must be there; who talks to no platform needs none.
    """
    text, raw = toml.read(path)
    try:
        config = Config.model_validate(raw)
    except ValidationError as exc:
        wrong = toml.faults(raw)
        for error in exc.errors():
            wrong.setdefault(toml.named(error["loc"]), _reason(dict(error)))
        raise ConfigError(toml.told(path, text, wrong)) from exc
    if secrets and (lacking := lacking_secrets(config, os.environ if env is None else env)):
        raise ConfigError(
            "\n".join(
                f"{path}:{toml.line_of(text, key) or toml.line_of(text, key[:-1]) or 1}: {'.'.join(key)}: the "
                f"environment variable {variable} is not set; put {what} into it"
                for key, variable, what in lacking
            )
        )
    return config


def secret(name: str, env: dict[str, str] | None = None) -> str:
    """The value of a ``*_env`` key. Raises :class:`ConfigError` when the variable is not set."""
    value = (os.environ if env is None else env).get(name, "")
    if not value:
        raise ConfigError(f"the environment variable {name} is not set")
    return value


def lacking_secrets(
    section: BaseModel, env: Mapping[str, str], at: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], str, str]]:
    """(key, variable, what belongs into it) of each ``*_env`` whose variable is empty. What is off needs none."""
    if not getattr(section, "enabled", True):
        return []
    out: list[tuple[tuple[str, ...], str, str]] = []
    for name, field in type(section).model_fields.items():
        value, key = getattr(section, name), (*at, name)
        if isinstance(value, BaseModel):
            out += lacking_secrets(value, env, key)
        elif name.endswith("_env") and value and not env.get(value):
            out.append((key, value, field.description or "the secret"))
    return out


def _reason(error: Mapping[str, Any]) -> str:
    """What a value of the right kind is not."""
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}{toml.shown(error['input'])}"


def template(path: Path, variables: Set[str] = VARIABLES) -> str:
    """A shop's own prompt or persona, checked by filling it in. Raises :class:`ConfigError`."""
    try:
        text = path.read_text(encoding="utf-8")
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({exc.strerror})") from exc
    except ValueError as exc:
        raise ConfigError(f"{path}: a brace without its partner ({exc}); write {{{{ and }}}} for plain braces") from exc
    known = ", ".join("{" + v + "}" for v in sorted(variables))
    for name in names:
        if name not in variables:
            line = next((n for n, each in enumerate(text.splitlines(), 1) if "{" + name in each), 1)
            raise ConfigError(f"{path}:{line}: {{{name}}} is not a variable here; there are {known}")
    for number, each in enumerate(text.splitlines(), 1):
        try:
            each.format(**dict.fromkeys(variables, ""))
        except _UNFILLED as exc:
            raise ConfigError(
                f"{path}:{number}: a variable cannot be filled in ({exc}); write it plainly, as in {known}"
            ) from exc
    return text
