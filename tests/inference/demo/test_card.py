"""The card tells the figures that were measured."""

from __future__ import annotations

import json

from inference.demo.score import FOLDER, WANTED

SCORE = json.loads((FOLDER / "score.json").read_text(encoding="utf-8"))


def test_the_cards_table_is_the_score() -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in card.splitlines() if line.startswith("| ") and " % |" in line]
    told = {row[0].strip(): (float(row[1].strip(" %")), int(row[2])) for row in rows}
    assert told == {figure: (entry["percent"], entry["of"]) for figure, entry in SCORE.items()}


def test_every_figure_that_is_asked_for_was_measured_on_enough() -> None:
    assert WANTED.keys() <= SCORE.keys()
    assert SCORE["colour"]["of"] >= 1000
    assert SCORE["photographs refused"]["of"] >= 40
