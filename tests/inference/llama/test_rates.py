"""Measured rates: medians near a size, lines between sizes, kept over restarts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inference.llama.rates import Curve, Length, Lengths, Pace, Rates, RatesFile


def test_nothing_measured_is_no_time() -> None:
    assert Curve().at(100) == 0.0
    assert not Curve()


def test_between_two_sizes_it_is_a_line() -> None:
    curve = Curve([(1, 0.1), (101, 1.1)])
    assert curve.at(1) == pytest.approx(0.1)
    assert curve.at(51) == pytest.approx(0.6)
    assert curve.at(101) == pytest.approx(1.1)
    assert Curve([(101, 1.1), (1, 0.1)]).at(51) == pytest.approx(0.6), "whatever was measured first"


def test_beyond_the_largest_and_below_the_smallest_it_is_in_proportion() -> None:
    curve = Curve([(10, 1.0), (100, 4.0)])
    assert curve.at(200) == pytest.approx(8.0)
    assert curve.at(5) == pytest.approx(0.5)
    assert curve.at(0) == 0.0


def test_one_hiccup_does_not_show_and_a_lasting_change_does() -> None:
    curve = Curve([(100, 1.0)] * 5)
    curve.add(100, 30.0)
    assert curve.at(100) == 1.0
    for _ in range(5):
        curve.add(100, 2.0)
    assert curve.at(100) == 2.0


def test_sizes_that_are_near_each_other_are_measured_together() -> None:
    curve = Curve([(100, 1.0), (98, 1.0), (102, 1.0)])
    curve.add(101, 30.0)
    assert curve.at(101) == pytest.approx(1.0, abs=0.02)


def test_the_usual_length_is_the_median_of_the_last() -> None:
    lengths = Lengths()
    assert lengths.usual == Length(2, 12, 32)
    for _ in range(30):
        lengths.add(Length(2, 9, 10))
    lengths.add(Length(2, 9, 500))
    assert lengths.usual == Length(2, 9, 10)
    assert len(lengths.points()) == 24


def test_what_the_form_forces_makes_the_lead_dearer_than_as_many_steps() -> None:
    rates = Rates()
    rates.step.add(1, 0.2)
    rates.step.add(2, 0.3)
    rates.decode.add(5, 0.5)
    assert rates.writing(Length(2, 10, 20), 1) == pytest.approx((1.0, 4.0))
    assert rates.writing(Length(2, 2, 20), 2) == pytest.approx((0.6, 6.0))
    assert rates.writing(Length(0, 0, 1), 1) == pytest.approx((0.0, 0.2))


def test_the_pace_follows_the_last_steps_by_their_length() -> None:
    pace = Pace()
    assert pace.now == 1.0
    pace.add(0.0, 5.0)
    assert pace.now == 1.0, "without a measurement before there is nothing to compare with"
    pace.add(1.0, 2.0)
    assert pace.now == pytest.approx(2.0)
    pace.add(0.01, 0.5)
    assert pace.now == pytest.approx(2.1 / 0.81)
    for _ in range(30):
        pace.add(1.0, 1.0)
    assert pace.now == pytest.approx(1.0, abs=0.01)
    pace.add(1.0, 1e6)
    assert pace.now == 4.0
    for _ in range(60):
        pace.add(1e6, 1.0)
    assert pace.now == 0.25


def test_tokens_of_a_text_are_learned() -> None:
    rates = Rates()
    assert rates.tokens(100) == pytest.approx(40)
    rates.text(250, 1000)
    assert rates.tokens(100) == pytest.approx(25)
    rates.text(500, 1000)
    assert rates.tokens(100) == pytest.approx(37.5), "the first few texts count alike"
    for _ in range(200):
        rates.text(500, 1000)
    for _ in range(20):
        rates.text(10_000, 10_000)
    assert rates.tokens(100) > 90, "what was long ago fades"


def test_rates_are_kept_per_model(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rates.json"
    first, second = RatesFile(path, "a"), RatesFile(path, "b")
    rates = first.load()
    rates.decode.add(64, 0.5)
    rates.step.add(2, 0.1)
    rates.show.add(36, 0.2)
    rates.encode.add(256, 7.7)
    rates.lengths["photo"].add(Length(3, 9, 20))
    rates.text(10, 100)
    rates.threads = 3
    first.save(rates)
    second.save(Rates())
    loaded = first.load()
    assert json.dumps(loaded.raw()) == json.dumps(rates.raw())
    assert loaded.encode.at(256) == 7.7
    assert loaded.lengths["photo"].usual == Length(3, 9, 20)
    assert loaded.threads == 3
    assert json.dumps(second.load().raw()) == json.dumps(Rates().raw())


_DAMAGED = (
    "",
    "{",
    "[]",
    '{"a": 1}',
    '{"a": {"step": [["x"]]}}',
    '{"a": {"lengths": {"photo": [[1, 2]]}}}',
    '{"a": {"lengths": []}}',
    "\xff",
)


@pytest.mark.parametrize("text", _DAMAGED)
def test_a_damaged_file_is_measured_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rates.json"
    path.write_bytes(text.encode("latin-1"))
    file = RatesFile(path, "a")
    assert file.load().raw() == Rates().raw()
    file.save(Rates())
    assert json.loads(path.read_text())["a"]


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    RatesFile(tmp_path / "file" / "rates.json", "a").save(Rates())
    assert "could not be kept" in caplog.text
