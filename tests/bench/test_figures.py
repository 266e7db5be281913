"""Figures beside their peers': ratio, target, and what is missing."""

from __future__ import annotations

import pytest

from bench.figures import Figure, machine


@pytest.mark.parametrize(
    ("target", "peer", "met"),
    [
        ("≤ 0.5 llama-server", 4.0, True),
        ("≤ 0.49 llama-server", 4.0, False),
        ("≤ 0.5 llama-server", None, None),
        ("≤ 2", None, True),
        ("≥ 3", 4.0, False),
        (None, 4.0, None),
    ],
)
def test_a_target_is_met_missed_or_open(target: str | None, peer: float | None, met: bool | None) -> None:
    figure = Figure(name="f", unit="s", ours=2.0, peers={"llama-server": peer}, target=target)
    assert figure.met is met


def test_the_document_has_the_agreed_shape() -> None:
    figure = Figure(name="f", unit="s", ours=1.0, peers={"a": 2.0, "b": None}, target="≤ 1 b", missing="install b")
    assert figure.raw() == {
        "name": "f",
        "unit": "s",
        "ours": 1.0,
        "peers": {"a": 2.0, "b": None},
        "ratio": {"a": 0.5},
        "target": "≤ 1 b",
        "met": None,
        "missing": "install b",
    }


def test_what_was_not_measured_has_no_ratio() -> None:
    figure = Figure(name="f", unit="s", ours=None, peers={"a": 2.0}, target="≤ 1 a")
    assert (figure.ratio, figure.met) == ({}, None)


def test_the_machine_is_named() -> None:
    assert {"processor", "cores", "memory_gb", "system", "python", "load"} == set(machine())
