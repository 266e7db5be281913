"""A shop's folder: what is read, and how everything that can be wrong in it is said."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from bot import knowledge
from bot.errors import ConfigError
from bot.model import Faq, Order, OrderLine, PolicySection, Product, Variant

PRODUCTS = """\
id,name,kind,pattern,material,about,colour,sizes,price,stock,sku,picture
cup,条纹杯子,杯子,条纹,陶瓷,喝茶用。,红色,,35,7,MG-1,pictures/cup.jpg
shirt,T恤,T恤,纯色,棉,每天穿。,白色,S/M/ L,59.90,0,TS-1,
shirt,T恤,T恤,纯色,棉,每天穿。,黑色,S,59,12,TS-2,
"""
ORDERS = """\
number,phone_tail,status,at,carrier,tracking,sku,name,quantity,price
ZG260001,0042,已发货,2026-11-20T10:32:00+08:00,顺丰,SF1,MG-1,红色条纹杯子,2,35
ZG260001,0042,已发货,2026-11-20T10:32:00+08:00,顺丰,SF1,TS-2,黑色T恤,1,59
ZG260002,1234,待付款,2026/11/2 9:05,,,MG-1,红色条纹杯子,1,35
"""


def folder(tmp_path: Path, **files: str) -> Path:
    """A knowledge folder; ``products="…"`` becomes ``products.csv``."""
    for name, text in files.items():
        suffix = "md" if name == "policy" else "csv"
        (tmp_path / f"{name}.{suffix}").write_text(text, encoding="utf-8")
    return tmp_path


def faults(path: Path) -> list[str]:
    """What reading complains of, paths shortened to the file's name."""
    with pytest.raises(ConfigError) as caught:
        knowledge.read(path)
    return str(caught.value).replace(f"{path}/", "").splitlines()


def edited(table: str, old: str, new: str) -> str:
    assert table.count(old) == 1, "the edit must hit one place"
    return table.replace(old, new)


def test_rows_of_one_id_are_one_product_with_variants(tmp_path: Path) -> None:
    read = knowledge.read(folder(tmp_path, products=PRODUCTS))
    cup = Product(
        id="cup",
        name="条纹杯子",
        kind="杯子",
        pattern="条纹",
        material="陶瓷",
        about="喝茶用。",
        variants=(
            Variant(sku="MG-1", colour="红色", sizes=(), price=Decimal(35), stock=7, picture="pictures/cup.jpg"),
        ),
    )
    assert read.products[0] == cup
    assert [v.sku for v in read.products[1].variants] == ["TS-1", "TS-2"]
    assert read.products[1].variants[0].sizes == ("S", "M", "L")
    assert read.products[1].variants[0].price == Decimal("59.90")
    assert len(read.products) == 2


def test_other_names_are_read_from_one_cell_each(tmp_path: Path) -> None:
    table = """\
id,name,kind,price,stock,sku,colour,kind_also,pattern_also,colour_also
cup,杯子,杯子,35,7,MG-1,红色,马克杯/mug,plain,red/正红
"""
    (product,) = knowledge.read(folder(tmp_path, products=table)).products
    assert product.kind_also == ("马克杯", "mug")
    assert product.pattern_also == ("plain",)
    assert product.variants[0].colour_also == ("red", "正红")


def test_rows_of_one_number_are_one_order_and_its_time_is_utc(tmp_path: Path) -> None:
    first, second = knowledge.read(folder(tmp_path, orders=ORDERS)).orders
    assert first == Order(
        number="ZG260001",
        phone_tail="0042",
        status="已发货",
        at=datetime(2026, 11, 20, 2, 32, tzinfo=UTC),
        carrier="顺丰",
        tracking="SF1",
        lines=(
            OrderLine(sku="MG-1", name="红色条纹杯子", quantity=2, price=Decimal(35)),
            OrderLine(sku="TS-2", name="黑色T恤", quantity=1, price=Decimal(59)),
        ),
    )
    assert second.at == datetime(2026, 11, 2, 1, 5, tzinfo=UTC)
    assert second.at.tzinfo is UTC


def test_only_the_columns_that_a_shop_needs_must_be_there(tmp_path: Path) -> None:
    read = knowledge.read(folder(tmp_path, products="sku,stock,price,kind,name,id\nA,1,2,杯子,杯,a\n"))
    (product,) = read.products
    assert (product.pattern, product.material, product.about) == ("", "", "")
    assert product.variants[0] == Variant(sku="A", colour="", sizes=(), price=Decimal(2), stock=1)


def test_questions_and_policy_are_read(tmp_path: Path) -> None:
    path = folder(
        tmp_path,
        faq="question,answer\n包邮吗？,满99元就包邮。\n发什么快递？,顺丰。\n",
        policy="# 运费\n满99元包邮。\n  新疆   加收10元。\n\n## 发票\n可以开。\n",
    )
    read = knowledge.read(path)
    assert read.faq == (
        Faq(id="1", question="包邮吗？", answer="满99元就包邮。"),
        Faq(id="2", question="发什么快递？", answer="顺丰。"),
    )
    assert read.policy == (
        PolicySection(id="运费", title="运费", passages=("满99元包邮。", "新疆 加收10元。")),
        PolicySection(id="发票", title="发票", passages=("可以开。",)),
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("35,7", "35元,7", "products.csv:2: price: not an amount like 89 or 19.9"),
        ("35,7", "-35,7", "products.csv:2: price: not an amount like 89 or 19.9, without unit or sign (it is '-35')"),
        ("35,7", "1e3,7", "products.csv:2: price: not an amount"),
        ("59.90", "59.905", "products.csv:3: price: not an amount"),
        ("59.90", "", "products.csv:3: price: is empty"),
        ("35,7", "35,7.5", "products.csv:2: stock: not a whole number like 12 (it is '7.5')"),
        ("35,7", "35,\uff17", "products.csv:2: stock: not a whole number"),
        ("TS-2", "TS-1", "products.csv:4: sku: TS-1 stands on line 3 already; each variant has its own"),
        ("TS-2", "TS 2", "products.csv:4: sku: a blank inside"),
        ("MG-1", "1.23E+11", "products.csv:2: sku: a spreadsheet has rounded this number"),
        ("cup,", "a cup,", "products.csv:2: id: a blank inside"),
        ("棉,每天穿。,黑色", "麻,每天穿。,黑色", "products.csv:4: material: differs from line 3; the rows of id"),
        ("pictures/cup.jpg", "../bot.toml", "products.csv:2: picture: not a path below the folder"),
        ("pictures/cup.jpg", "/etc/passwd", "products.csv:2: picture: not a path below the folder"),
        ("pictures/cup.jpg", "C:cup.jpg", "products.csv:2: picture: not a path below the folder"),
        ("pictures/cup.jpg", "pictures\\cup.jpg", "products.csv:2: picture: not a path below the folder"),
        ("35,7", "35,7,8", "products.csv:2: the row has 13 cells, the header 12; a comma inside a text"),
        (",pictures/cup.jpg", "", "products.csv:2: the row has 11 cells, the header 12"),
        ("喝茶用。", '"喝茶用。', "products.csv:2: not a CSV row: unexpected end of data; look for a double quote"),
        (",price,", ",pric,", "products.csv:1: pric: no such column; did you mean price?"),
        (",about,", ",wholly other,", "products.csv:1: wholly other: no such column; there are id, name,"),
        (",about,", ",,", "products.csv:1: a column without a name: no such column"),
        (",about,", ",name,", "products.csv:1: name: the column is there twice"),
    ],
)  # fmt: skip
def test_a_wrong_product_row_is_named_by_line_column_and_reason(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert faults(folder(tmp_path, products=edited(PRODUCTS, old, new)))[0].startswith(said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("2,1234,", "2,234,", "orders.csv:4: phone_tail: the last four digits; a spreadsheet drops zeros in front"),
        ("待付款", "没付款", "orders.csv:4: status: not one of 待付款 已付款 已发货 已签收 已退款 (it is '没付款')"),
        ("2026/11/2 9:05", "gestern", "orders.csv:4: at: not a time like 2026-11-20T10:32+08:00 or 2026/11/20 10:32"),
        ("杯子,1,35", "杯子,0,35", "orders.csv:4: quantity: at least 1 (it is '0')"),
        ("杯子,1,35", "杯子,1,x", "orders.csv:4: price: not an amount"),
        ("ZG260002", "2.6E+5", "orders.csv:4: number: a spreadsheet has rounded"),
        ("9:05,,,", "9:05,,1.2E+9,", "orders.csv:4: tracking: a spreadsheet has rounded"),
        ("9:05,,,MG-1", "9:05,,,1.2E+9", "orders.csv:4: sku: a spreadsheet has rounded"),
        ("ZG260002", "ZG1", "orders.csv:4: number: no customer could ask for this order; a number has letters, digits"),
        ("ZG260002", "Z2600", "orders.csv:4: number: no customer could ask for this order"),
        ("ZG260002", "ZGABC260", "orders.csv:4: number: no customer could ask for this order"),
        ("ZG260002", "ABCDEFG", "orders.csv:4: number: no customer could ask for this order"),
        ("ZG260002", "ZG_260002", "orders.csv:4: number: no customer could ask for this order"),
        ("ZG260002", "13800004321", "orders.csv:4: number: no customer could ask for this order"),
        ("ZG260002", "2026-11-20", "orders.csv:4: number: no customer could ask for this order"),
        ("ZG260002", "Z" * 29 + "2600", "orders.csv:4: number: no customer could ask for this order"),
        ("ZG260002", "ZG 260002", "orders.csv:4: number: a blank inside"),
        ("ZG260002", "zg-260001", "orders.csv:4: number: but for hyphens and capital letters this is ZG260001 of"),
        ("SF1,TS-2", "SF2,TS-2", "orders.csv:3: tracking: differs from line 2; the rows of number ZG260001 share it"),
    ],
)  # fmt: skip
def test_a_wrong_order_row_is_named_by_line_column_and_reason(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert faults(folder(tmp_path, orders=edited(ORDERS, old, new)))[0].startswith(said)


@pytest.mark.parametrize(
    "number", ["20261120000123", "TB-2026-77", "A1234567", "zg260002", "202600", "Z" * 28 + "2600"]
)
def test_numbers_may_look_as_shops_have_them(tmp_path: Path, number: str) -> None:
    read = knowledge.read(folder(tmp_path, orders=edited(ORDERS, "ZG260002", number)))
    assert [order.number for order in read.orders] == ["ZG260001", number]


@pytest.mark.parametrize("column", ["phone_tail", "status", "at", "carrier", "tracking"])
def test_the_rows_of_an_order_may_not_contradict_each_other(tmp_path: Path, column: str) -> None:
    lines = [line.split(",") for line in ORDERS.splitlines()]
    at = lines[0].index(column)
    lines[2][at] = {"phone_tail": "9999", "status": "已签收", "at": "2026-11-21T10:32:00+08:00"}.get(column, "else")
    assert faults(folder(tmp_path, orders="\n".join(map(",".join, lines))))[0].startswith(
        f"orders.csv:3: {column}: differs"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "满99元包邮。\n# 运费\n8元。\n",
            "policy.md:1: stands before the first heading; begin with a line like «# 运费»",
        ),
        ("# 运费\n8元。\n# \n8元。\n", "policy.md:3: a heading without a title"),
        ("# 运费\n8元。\n# 运费\n9元。\n", "policy.md:3: «运费» is the heading of line 1 already"),
        ("# 运费\n\n# 发票\n可以开。\n", "policy.md:1: «运费» says nothing; write a line below it"),
    ],
)
def test_a_wrong_policy_is_named_by_line_and_reason(tmp_path: Path, text: str, said: str) -> None:
    assert faults(folder(tmp_path, policy=text)) == [said]


def test_a_question_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path, faq="question,answer\n包邮吗？,是。\n包邮吗？,不是。\n")
    assert faults(path) == ["faq.csv:3: question: is there twice"]


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    path = folder(
        tmp_path,
        products=edited(edited(PRODUCTS, "35,7", "x,y"), "59,12", "z,12"),
        faq="question,answer\n包邮吗？,\n",
        policy="# 运费\n",
    )
    assert [line.split(": ")[0] for line in faults(path)] == [
        "products.csv:2",
        "products.csv:2",
        "products.csv:4",
        "policy.md:1",
        "faq.csv:2",
    ]


def test_a_long_list_of_faults_is_cut_and_counted(tmp_path: Path) -> None:
    said = faults(folder(tmp_path, faq="question,answer\n" + "为什么？,\n" * 23))
    assert len(said) == 21
    assert said[-1] == "… and 3 more"


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no such folder; shop\.knowledge names"):
        knowledge.read(tmp_path / "gone")


def test_a_folder_without_any_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds none of products\.csv, orders\.csv, faq\.csv, policy\.md"):
        knowledge.read(tmp_path)


def test_version_changes_with_every_file_and_with_nothing_else(tmp_path: Path) -> None:
    path = folder(tmp_path, products=PRODUCTS)
    seen = {knowledge.version(path)}
    (path / "notes.txt").write_text("nothing", encoding="utf-8")
    assert knowledge.version(path) in seen
    for name in ("orders.csv", "faq.csv", "policy.md", "products.csv"):
        (path / name).write_text("changed", encoding="utf-8")
        seen.add(knowledge.version(path))
    (path / "faq.csv").unlink()
    seen.add(knowledge.version(path))
    assert len(seen) == 6


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "products.csv").mkdir()
    for refused in (knowledge.version, knowledge.read):
        with pytest.raises(ConfigError, match=r"products\.csv: cannot be read \("):
            refused(tmp_path)


def test_a_shop_without_goods_or_policy_is_told(tmp_path: Path) -> None:
    path = folder(tmp_path, orders=ORDERS)
    missing = [f"{path}/products.csv: there is no such file", f"{path}/policy.md: there is no such file"]
    assert knowledge.gaps(path) == missing
    folder(tmp_path, product=PRODUCTS)
    assert knowledge.gaps(path) == [f"{missing[0]}; is it product.csv? Then rename that", missing[1]]
    folder(tmp_path, products="\ufeff" + PRODUCTS.splitlines()[0] + "\n,,,\n\n", policy="# 运费\n")
    assert knowledge.gaps(path) == [f"{path}/products.csv: holds nothing yet", f"{path}/policy.md: holds nothing yet"]
    folder(tmp_path, products=PRODUCTS, policy="# 运费\n满99元包邮。\n")
    assert knowledge.gaps(path) == []


def test_pictures_that_are_not_there_or_are_none_are_told(tmp_path: Path) -> None:
    names = {
        "a.jpg": b"\xff\xd8\xff\xe0rest",
        "b.png": b"\x89PNG\r\n\x1a\n",
        "c.webp": b"RIFF0000WEBPVP8 ",
        "d.jpg": b"GIF89a",
    }
    for name, data in names.items():
        (tmp_path / name).write_bytes(data)
    rows = [f"p,杯,杯子,1,1,{name},{name}" for name in (*names, "gone.jpg", "e.jpg")]
    rows += ["p,杯,杯子,1,1,none,", "p,杯,杯子,1,1,again,d.jpg"]
    path = folder(tmp_path, products="id,name,kind,price,stock,sku,picture\n" + "\n".join(rows))
    (tmp_path / "e.jpg").mkdir()
    assert [str(each) for each in knowledge.lacking_pictures(path)] == [
        "products.csv:5: d.jpg is no JPEG, PNG or WebP",
        "products.csv:6: gone.jpg is not there",
        "products.csv:7: e.jpg cannot be read (Is a directory)",
    ]
