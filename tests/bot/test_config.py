"""``bot.toml``: what is wrong is said with its key, its line and the nearest key that there is."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel, Field

from bot import config
from bot.config import Config, known_keys
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
        ("[web]\nport = '80'\n", ":2: web.port: input should be a valid integer (it is '80')"),
        ("[web]\nport = 70000\n", ":2: web.port: input should be less than or equal to 65535 (it is 70000)"),
        ("[web]\nport = true\n", ":2: web.port: input should be a valid integer (it is True)"),
        ("[inference]\nn_ctx = 10\n", ":2: inference.n_ctx: input should be greater than or equal to 1024 (it is 10)"),
        ("[shop]\nlanguage = 'de'\n", ":2: shop.language: input should be 'zh' or 'en' (it is 'de')"),
        (
            "[adapters.telegram]\nmode = 'push'\n",
            ":2: adapters.telegram.mode: input should be 'polling' (it is 'push')",
        ),
        ("[shops.second]\nlanguage = 'xx'\n", ":2: shops.second.language: input should be 'zh' or 'en' (it is 'xx')"),
        ("shop = 1\n", ":1: shop: input should be a valid dictionary or instance of Shop (it is 1)"),
    ],
)  # fmt: skip
def test_an_error_names_key_line_and_nearest_key(tmp_path: Path, text: str, said: str) -> None:
    assert complaint(tmp_path, text) == f"bot.toml{said}"


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    lines = complaint(tmp_path, "[web]\nport = 'x'\n[shop]\nnane = 'y'\n").splitlines()
    assert [line.split(": ")[1] for line in lines] == ["shop.nane", "web.port"]


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
    wrong = [("'autp'", "'autp'"), ("true", "True"), ("1.5", "1.5"), (str(least - 1), str(least - 1))]
    for value, shown in wrong:
        said = complaint(tmp_path, f"[{section}]\n{key} = {value}\n")
        assert said == f'bot.toml:2: {section}.{key}: "auto" or a number, {least} or above (it is {shown})'
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


def test_known_keys_are_dotted_and_carry_their_defaults() -> None:
    keys = known_keys()
    assert keys["web.port"] == 7860
    assert keys["adapters.telegram.enabled"] is False
    assert keys["adapters"] is None
    assert keys["shops"] == {}
    assert "adapters.web" in keys


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
    assert said.startswith("bot.toml:1: shops: [shops.default] is the name of [shop] itself")
