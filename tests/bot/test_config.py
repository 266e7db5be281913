"""``bot.toml``: what is wrong is said with its key, its line and the nearest key that there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, Field

from bot import config, toml
from bot.config import Config, ShopOverride
from bot.errors import ConfigError
from bot.prompt import PERSONA_VARIABLES


def loaded(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> Config:
    file = tmp_path / "bot.toml"
    file.write_text(text, encoding="utf-8")
    return config.load(file, env or {})


def complaint(tmp_path: Path, text: str, env: dict[str, str] | None = None) -> str:
    """What is said, the folder left out."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text, env)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_an_empty_file_is_a_whole_configuration(tmp_path: Path) -> None:
    assert loaded(tmp_path, "") == Config()


def test_the_file_that_ships_says_every_default(tmp_path: Path) -> None:
    shipped = Path(config.__file__).parent.parent / "bot.toml"
    assert config.load(shipped, {}) == Config()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[shop]\nnane = 'x'\n", ":2: shop.nane: no such key; did you mean shop.name?"),
        ("\n\n[shopp]\n", ":3: shopp: no such key; did you mean shop?"),
        (
            "[dialogue]\nmerge_second = 1\n",
            ":2: dialogue.merge_second: no such key; did you mean dialogue.merge_seconds?",
        ),
        ("[shop]\nname = 'x'\nport = 1\n", ":3: shop.port: no such key; did you mean web.port?"),
        (
            "[adapters.telegram]\ntoken = 'x'\n",
            ":2: adapters.telegram.token: no such key; did you mean adapters.telegram.token_env?",
        ),
        ("xyzzy = 1\n", ":1: xyzzy: no such key"),
        ("shop.nane = 'x'\n", ":1: shop.nane: no such key; did you mean shop.name?"),
        ("[shops.second]\nnane = 'x'\n", ":2: shops.second.nane: no such key; did you mean shops.second.name?"),
        ("[web]\nport = '80'\n", ":2: web.port: a whole number is needed, without quotes: port = 80"),
        ("[web]\nport = 'eighty'\n", ":2: web.port: a whole number is needed (it is 'eighty')"),
        ("[web]\nport = 70000\n", ":2: web.port: input should be less than or equal to 65535 (it is 70000)"),
        ("[web]\nport = true\n", ":2: web.port: a whole number is needed (it is true)"),
        ("[web]\nport = 80.5\n", ":2: web.port: a whole number is needed (it is 80.5)"),
        (
            "[web]\ndemonstration = 'False'\n",
            ":2: web.demonstration: true or false is needed, without quotes: demonstration = false",
        ),
        ("[web]\ndemonstration = 0\n", ":2: web.demonstration: true or false is needed (it is 0)"),
        (
            "[web]\norigins = 'https://a.example'\n",
            ':2: web.origins: a list of texts is needed, in square brackets: origins = ["https://a.example"]',
        ),
        ("[web]\norigins = ['https://a.example', 1]\n", ":2: web.origins: a list of texts is needed"),
        (
            "[slow]\nnotice_after_seconds = ' 2.5'\n",
            ":2: slow.notice_after_seconds: a number is needed, without quotes: notice_after_seconds = 2.5",
        ),
        (
            "[shop]\ncontact = 13800138000\n",
            ':2: shop.contact: a text is needed, in straight double quotes: contact = "13800138000"',
        ),
        ("[log]\nlevel = true\n", ':2: log.level: a text is needed, in straight double quotes: level = "true"'),
        ("[shop]\nname = []\n", ":2: shop.name: a text is needed"),
        (
            "[inference]\nthreads = '4'\n",
            ':2: inference.threads: "auto" or a whole number is needed, without quotes: threads = 4',
        ),
        ("[inference]\nn_ctx = 10\n", ":2: inference.n_ctx: input should be greater than or equal to 1024 (it is 10)"),
        ("[shop]\nlanguage = 'de'\n", ":2: shop.language: input should be 'zh' or 'en' (it is 'de')"),
        (
            "[adapters.telegram]\nmode = 'push'\n",
            ":2: adapters.telegram.mode: input should be 'polling' (it is 'push')",
        ),
        ("[shops.second]\nlanguage = 'xx'\n", ":2: shops.second.language: input should be 'zh' or 'en' (it is 'xx')"),
        ("shop = 1\n", ":1: shop: a section, not a value: write [shop], and its keys below that (it is 1)"),
        ("shops.b = 1\n", ":1: shops.b: a section, not a value: write [shops.b], and its keys below that (it is 1)"),
        ("[[web]]\nport = 1\n", ":1: web: a section, not a value: write [web], and its keys below that"),
    ],
)  # fmt: skip
def test_an_error_names_key_line_and_nearest_key(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(tmp_path, text) == f"bot.toml{said}"


def test_everything_that_is_wrong_is_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "[web]\nport = 'x'\nhost = 7\n[photos]\nshort_side = 1\n[shop]\nnane = 'y'\n"
    lines = complaint(tmp_path, text).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["web.port", "web.host", "photos.short_side", "shop.nane"]


def kinds(model: type[BaseModel]) -> dict[str, Any]:
    """A section's keys as :data:`bot.toml.KEYS` should have them."""
    out: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if kind == dict[str, ShopOverride]:
            out[name] = {toml.ANY: kinds(ShopOverride)}
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            out[name] = kinds(kind)
        else:
            out[name] = _KINDS[_types(kind)]
    return out


def _types(kind: Any) -> frozenset[Any]:
    """The types of the values that an annotation takes, ``None`` left out."""
    if kind in {str, bool, int, float, list[str], type(None)}:
        return frozenset({kind}) - {type(None)}
    if isinstance(kind, str):
        return frozenset({"auto" if kind == "auto" else str})
    return frozenset().union(*map(_types, get_args(kind)[:1] if hasattr(kind, "__metadata__") else get_args(kind)))


_KINDS: dict[frozenset[Any], toml.Kind] = {
    frozenset({str}): "text",
    frozenset({bool}): "switch",
    frozenset({int}): "whole",
    frozenset({float}): "number",
    frozenset({list[str]}): "texts",
    frozenset({int, "auto"}): "auto",
}


def test_what_the_set_up_knows_of_the_keys_is_what_the_bot_reads() -> None:
    assert kinds(Config) == toml.KEYS
    # In the same order, by which the nearest key is chosen.
    assert str(toml.KEYS) == str(kinds(Config))


#: A value of each kind of TOML, and slips with quotes.
PROBES = (
    "'x'",
    "'auto'",
    "'7'",
    "'1.5'",
    "'true'",
    "true",
    "7",
    "1.5",
    "inf",
    "2026-01-01",
    "[]",
    "['x']",
    "[7]",
    "{x = 1}",
)


def keys(section: Any, at: str = "") -> list[str]:
    """Every key and section, a shop of its own name among them."""
    out = []
    for name, kind in section.items():
        key = f"{at}{'second' if name == toml.ANY else name}"
        out += [key, *(() if isinstance(kind, str) else keys(kind, f"{key}."))]
    return out


@pytest.mark.parametrize("key", [*keys(toml.KEYS), "shopp", "web.prot", "shops.second.nane"])
def test_what_the_set_up_finds_is_what_the_bot_would_say_and_nothing_that_it_would_take(
    tmp_path: Path, key: str
) -> None:
    for probe in PROBES:
        text = f"{key} = {probe}\n"
        found = toml.told(tmp_path / "bot.toml", text, toml.faults(tomllib.loads(text)))
        try:
            loaded(tmp_path, text)
        except ConfigError as exc:
            said = str(exc)
            # What is of the right kind and still wrong is left to the bot.
            assert found in {said, ""}
            assert not re.search("valid (string|integer|boolean|number|list|dictionary)|Extra inputs", said)
        else:
            assert found == ""


@pytest.mark.parametrize(
    ("section", "key", "least"),
    [
        ("inference", "threads", 1),
        ("inference", "parallel", 1),
        ("inference", "gpu_layers", 0),
        ("photos", "visual_tokens", 16),
    ],
)
def test_a_value_of_two_kinds_is_explained_in_one_line(tmp_path: Path, section: str, key: str, least: int) -> None:
    number, kind = f'"auto" or a number, {least} or above', '"auto" or a whole number is needed'
    wrong = [("'autp'", "'autp'", number), (str(least - 1), str(least - 1), number)]
    for value, shown, needed in [*wrong, ("true", "true", kind), ("1.5", "1.5", kind)]:
        said = complaint(tmp_path, f"[{section}]\n{key} = {value}\n")
        assert said == f"bot.toml:2: {section}.{key}: {needed} (it is {shown})"
    for value in ("'auto'", str(least)):
        made = getattr(loaded(tmp_path, f"[{section}]\n{key} = {value}\n"), section)
        assert str(getattr(made, key)) == value.strip("'")


def test_an_address_that_is_no_sqlite_file_is_refused_in_plain_words(tmp_path: Path) -> None:
    said = complaint(tmp_path, "[storage]\nurl = 'postgresql://x'\n")
    assert said.startswith("bot.toml:2: storage.url: begins with sqlite:///")


def test_no_file_no_toml_and_no_text_are_each_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file; --config names another"):
        config.load(tmp_path / "none.toml")
    assert "not valid TOML" in complaint(tmp_path, "[shop\n")
    (tmp_path / "bot.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path / "bot.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path)


def test_a_channel_that_is_switched_on_needs_its_secret(tmp_path: Path) -> None:
    text = "[adapters.telegram]\nenabled = true\n"
    assert complaint(tmp_path, text).startswith(
        "bot.toml:1: adapters.telegram.token_env: the environment variable TELEGRAM_TOKEN is not set"
    )
    assert complaint(tmp_path, text + "token_env = 'MINE'\n", {"TELEGRAM_TOKEN": "t"}).startswith(
        "bot.toml:3: adapters.telegram.token_env: the environment variable MINE is not set"
    )
    assert complaint(tmp_path, text, {"TELEGRAM_TOKEN": ""})
    assert loaded(tmp_path, text, {"TELEGRAM_TOKEN": "t"}).adapters.telegram.enabled
    # Who talks to nobody needs no token.
    assert config.load(tmp_path / "bot.toml", {}, secrets=False).adapters.telegram.enabled


class _Door(BaseModel):
    """A platform to come, with two secrets."""

    enabled: bool = True
    key_env: str = Field("DOOR_KEY", description="the key")
    spare_env: str = "DOOR_SPARE"
    unused_env: str = ""


class _House(BaseModel):
    front: _Door = _Door()
    back: _Door = _Door(enabled=False)


def test_every_secret_of_whatever_is_switched_on_is_asked_for() -> None:
    assert config.lacking_secrets(_House(), {"DOOR_KEY": ""}) == [
        (("front", "key_env"), "DOOR_KEY", "the key"),
        (("front", "spare_env"), "DOOR_SPARE", "the secret"),
    ]
    assert config.lacking_secrets(_House(), {"DOOR_KEY": "k", "DOOR_SPARE": "s"}) == []


def test_a_secret_is_read_from_the_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert config.secret("A", {"A": "1"}) == "1"
    for empty in ({}, {"A": ""}):
        with pytest.raises(ConfigError, match="the environment variable A is not set"):
            config.secret("A", empty)
    monkeypatch.setenv("OURS", "2")
    assert config.secret("OURS") == "2"


def test_a_named_shop_overrides_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    made = loaded(tmp_path, "[shop]\nname = 'A'\ncontact = 'a@a.example'\n[shops.b]\nname = 'B'\nlanguage = 'en'\n")
    assert made.shop_of("") is made.shop
    second = made.shop_of("b")
    assert (second.name, second.language, second.contact) == ("B", "en", "a@a.example")
    with pytest.raises(ConfigError, match=r"there is no \[shops.c\]"):
        made.shop_of("c")


def test_the_label_names_the_shop_that_it_stands_for(tmp_path: Path) -> None:
    made = loaded(tmp_path, "[shop]\nname = 'A'\nai_label = '{shop} AI'\n[shops.b]\nname = 'B'\n")
    assert made.shop.label == "A AI"
    assert made.shop_of("b").label == "B AI"


@pytest.mark.parametrize("label", ["{name}", "{", "{0}", "{shop.name}"])
def test_a_label_with_another_variable_is_refused(tmp_path: Path, label: str) -> None:
    for table in ("shop", "shops.b"):
        said = complaint(tmp_path, f"[{table}]\nai_label = '{label}'\n")
        assert said.startswith(f"bot.toml:2: {table}.ai_label: only {{shop}} is filled in here")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "你好，{name}",
            r"prompt.md:1: \{name\} is not a variable here; there are \{contact\}, \{persona\}, \{policy\}, \{shop\}",
        ),
        ("你好，{shop", "a brace without its partner"),
        ("JSON: {}", r"\{\} is not a variable"),
        ("{0}", r"\{0\} is not a variable"),
        ("一\n{shop:d}", r"prompt.md:2: a variable cannot be filled in"),
        ("一\n{shop!x}", r"prompt.md:2: a variable cannot be filled in"),
    ],
)
def test_a_prompt_of_the_shops_own_is_checked_at_the_start(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "prompt.md"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        config.template(file)


def test_a_good_prompt_is_given_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "prompt.md"
    file.write_text('{shop}{contact}{persona}{policy} {{"a": 1}}', encoding="utf-8")
    assert config.template(file) == '{shop}{contact}{persona}{policy} {{"a": 1}}'
    with pytest.raises(ConfigError, match="cannot be read"):
        config.template(tmp_path / "none.md")


def test_a_persona_has_fewer_variables_than_a_prompt(tmp_path: Path) -> None:
    file = tmp_path / "persona.md"
    file.write_text("一\n{policy}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"persona.md:2: \{policy\} is not a variable here; there are \{contact\}, "):
        config.template(file, PERSONA_VARIABLES)


@pytest.mark.parametrize("text", ["{second}", "{", "{0}", "{ahead.x}", "{seconds:d}"])
def test_a_notice_that_cannot_be_filled_in_is_refused(tmp_path: Path, text: str) -> None:
    said = complaint(tmp_path, f"[slow]\ntext = '{text}'\n")
    assert said.startswith("bot.toml:2: slow.text: only {seconds} and {ahead} are filled in here")
    assert loaded(tmp_path, "[slow]\ntext = '{seconds} {ahead}'\n").slow.text == "{seconds} {ahead}"


def test_no_named_shop_takes_the_main_ones_place(tmp_path: Path) -> None:
    said = complaint(tmp_path, "[shops.default]\nname = 'B'\n")
    assert said == "bot.toml:1: shops: [shops.default] is the name of [shop] itself; give this shop another"
