"""``doctor``: each thing that is wrong is said once, where it belongs, with its own way out."""

from __future__ import annotations

import json
import shutil
import socket
from pathlib import Path

import pytest

from bot import address, config
from bot.cli import app, doctor
from bot.place import Place
from bot.ports import Finding

ROOT = Path(__file__).resolve().parents[3]
NO_PICTURES = shutil.ignore_patterns("pictures", "*.py", "__pycache__")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A shop of one's own, with everything but pictures."""
    shutil.copytree(ROOT / "demo", tmp_path / "myshop", ignore=NO_PICTURES)
    products = "id,name,kind,price,stock,sku\ncup,杯子,杯子,35,7,MG-1\n"
    (tmp_path / "myshop" / "products.csv").write_text(products, encoding="utf-8")
    (tmp_path / "myshop" / "pictures").mkdir()
    return tmp_path


def written(root: Path, text: str = "", *, web: str = "port = 0", shop: str = 'knowledge = "myshop"') -> Path:
    path = root / "other.toml"
    path.write_text(f"[shop]\n{shop}\n[web]\n{web}\n{text}", encoding="utf-8")
    return path


async def found(path: Path) -> dict[str, list[Finding]]:
    return await doctor._parts(config.load(path, {}), path, path.parent)


def wrong(parts: dict[str, list[Finding]]) -> list[tuple[str, str, str]]:
    return [(part, f.what, f.fix) for part, findings in parts.items() for f in findings if not f.ok]


async def test_the_file_that_was_read_is_the_one_that_is_named(root: Path) -> None:
    parts = await found(written(root))
    assert parts["configuration"][0].what == "other.toml is well formed; every key is known"
    assert list(parts) == ["configuration", "storage", "shop", "model", "hardware", "address", "channels"]
    assert all(parts.values())


async def test_a_port_that_is_taken_is_found(root: Path) -> None:
    with address.bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        (one,) = [w for w in wrong(await found(written(root, web=f"port = {port}"))) if w[0] == "address"]
    assert one[1] == f"web.port: 127.0.0.1:{port} cannot be used (Address already in use)"
    assert one[2] == "is the bot running already? Set another port in [web], or stop what listens there"


async def test_a_host_that_is_not_ours_is_found_under_its_own_name(root: Path) -> None:
    (one,) = [w for w in wrong(await found(written(root, web='host = "192.0.2.1"'))) if w[0] == "address"]
    assert one[1].startswith("web.host: 192.0.2.1 is not an address of this machine (")
    assert one[2].startswith("Set another host in [web]: ")


async def test_our_own_bot_at_work_takes_nobodys_port(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as bot:
        port = bot.getsockname()[1]
        path = written(root, web=f"port = {port}")
        door = Place.of(config.load(path), root).door
        door.parent.mkdir()
        door.write_text(json.dumps({"port": port, "token": "t"}), encoding="utf-8")
        assert (await found(path))["address"] == [Finding(ok=True, what=f"the bot is running: it has port {port}")]


async def test_a_folder_that_is_not_there_has_its_own_way_out_and_stops_the_channels(root: Path) -> None:
    parts = await found(written(root, shop='knowledge = "myshopp"'))
    fix = "set knowledge under [shop] to the folder with products.csv and policy.md"
    assert wrong(parts) == [("shop", "myshopp: there is no such folder", fix)]
    assert parts["channels"] == []


async def test_missing_goods_and_policy_are_found(root: Path) -> None:
    for name in ("products.csv", "policy.md"):
        (root / "myshop" / name).unlink()
    said = [what for part, what, _ in wrong(await found(written(root))) if part == "shop"]
    assert said == ["myshop/products.csv: there is no such file", "myshop/policy.md: there is no such file"]


async def test_pictures_that_cannot_be_shown_are_named_with_reason_line_and_way_out(root: Path) -> None:
    rows = [f"p{n},杯子,杯子,35,7,MG-{n},{name}\n" for n, name in enumerate(("a", "b", "none", "c", "d", "e/f"), 2)]
    goods = "id,name,kind,price,stock,sku,picture\n" + "".join(rows)
    (root / "myshop" / "products.csv").write_text(goods, encoding="utf-8")
    for name in "abcde":
        (root / "myshop" / name).write_text("no picture", encoding="utf-8")
    none = "save it anew as one of these: another ending alone does not change what is in a file"
    assert [(what, fix) for _, what, fix in wrong(await found(written(root)))] == [
        ("myshop/products.csv:2: a is no JPEG, PNG or WebP", none),
        ("myshop/products.csv:3: b is no JPEG, PNG or WebP", none),
        ("myshop/products.csv:5: c is no JPEG, PNG or WebP (and 1 more)", none),
        (
            "myshop/products.csv:4: none is not there",
            "put it into myshop/ under this name, or empty its cell in the column picture",
        ),
        (
            "myshop/products.csv:7: e/f cannot be read (Not a directory)",
            "put a picture there that the user of the bot may read",
        ),
    ]


@pytest.mark.parametrize(
    ("file", "text", "says", "fix"),
    [
        ("persona.zh.md", "你是{shopp}。", "myshop/persona.zh.md:1: {shopp} is not a variable", "mend the file"),
        ("prompt.zh.md", "{persona", "myshop/prompt.zh.md: a brace without its partner", "mend the file"),
        ("examples.json", "[", "myshop/examples.json: cannot be read as a list", "mend the file, or remove it"),
        ("faq.csv", "question,answer\na,\n", "myshop/faq.csv:2: answer: is empty", "mend the file; the README"),
    ],
)
async def test_a_file_of_the_shop_is_found_with_the_shop_and_once(
    root: Path, file: str, text: str, says: str, fix: str
) -> None:
    (root / "myshop" / file).write_text(text, encoding="utf-8")
    parts = await found(written(root))
    ((part, what, way),) = wrong(parts)
    assert part == "shop"
    assert what.startswith(says)
    assert way.startswith(fix)
    assert parts["channels"] == []


async def test_a_persona_that_is_not_there_names_its_key(root: Path) -> None:
    parts = await found(written(root, '[shops.second]\npersona = "none.md"\n'))
    fix = "put the file there, or mend persona under [shops.second]"
    assert wrong(parts) == [("shop", "shop second: none.md: cannot be read (No such file or directory)", fix)]


async def test_a_model_that_is_not_here_is_said_once(root: Path) -> None:
    parts = await found(written(root, '[inference]\nmodel = "qwen3-vl-2b"\n'))
    assert [part for part, *_ in wrong(parts)] == ["model"]
    assert (parts["hardware"], parts["channels"]) == ([], [])


def test_what_was_not_looked_at_is_told_on_paper_and_to_programs(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(written(root, '[inference]\nmodel = "qwen3-vl-2b"\n'))
    assert app(["--config", path, "doctor"], standalone_mode=False) == 1
    said = capsys.readouterr().out
    assert said.count("  ✗ ") == 1
    assert "hardware\n  – not checked: mend what stands above first\n" in said
    app(["--config", path, "doctor", "--json"], standalone_mode=False)
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["unchecked"]) == (False, ["hardware", "channels"])
