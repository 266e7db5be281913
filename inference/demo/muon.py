"""The optimiser: Muon for the inner matrices, AdamW for everything else.

Muon (Jordan et al. 2024) makes every step of a matrix nearly orthogonal. For towers as small as these it needs
about half the steps of AdamW, which on two cores is half of the time. Processes that learn together each make a share
of the matrices orthogonal, and exchange the results.
"""

# torch is no dependency of the product, so that mypy may not see it: its classes and decorators are untyped here.
# mypy: disable-error-code="misc, untyped-decorator"
from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from inference.demo import together

#: Matrices with a smaller side above this are made orthogonal block by block.
_BLOCK = 256


def orthogonal(g: Tensor) -> Tensor:
    """Newton–Schulz: the nearest half-orthogonal matrix, roughly. [m, n] → [m, n]"""
    a, b, c = 3.4445, -4.7750, 2.0315
    if min(g.shape) > _BLOCK:
        # The cost grows with the third power of the smaller side: block by block it stays small, and is as good.
        return torch.cat([orthogonal(part) for part in g.split(_BLOCK // 2, 1)], 1)
    tall = g.shape[0] > g.shape[1]
    x = (g.T if tall else g) / (g.norm() + 1e-7)
    for _ in range(5):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Groups with ``muon`` true hold matrices only; the others are stepped as AdamW does. ``lr`` is of AdamW's
    size for both.
    """

    def __init__(self, groups: Iterable[dict[str, Any]]) -> None:
        super().__init__(groups, {"lr": 1e-3, "decay": 0.01, "betas": (0.9, 0.98), "momentum": 0.95, "muon": False})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        moves = self._moves([w for group in self.param_groups if group["muon"] for w in group["params"]])
        for group in self.param_groups:
            lr = group["lr"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                weight.mul_(1 - lr * group["decay"] if weight.ndim > 1 else 1.0)
                if group["muon"]:
                    # 0.2·√max: a step as long as AdamW's usual one, so that one learning rate serves both.
                    weight.add_(moves[weight], alpha=-lr * 0.2 * max(weight.shape) ** 0.5)
                else:
                    mean, square = (
                        state.setdefault("mean", torch.zeros_like(weight)),
                        state.setdefault("square", torch.zeros_like(weight)),
                    )
                    n = state["n"] = state.get("n", 0) + 1
                    b1, b2 = group["betas"]
                    mean.lerp_(weight.grad, 1 - b1)
                    square.lerp_(weight.grad.square(), 1 - b2)
                    weight.addcdiv_(mean / (1 - b1**n), (square / (1 - b2**n)).sqrt().add_(1e-8), value=-lr)

    def _moves(self, weights: Sequence[Tensor]) -> dict[Tensor, Tensor]:
        """The direction of every matrix that has a gradient, made orthogonal by one of the processes."""
        looks = []
        for weight in (w for w in weights if w.grad is not None):
            assert weight.grad is not None
            move = self.state[weight].setdefault("move", torch.zeros_like(weight))
            move.lerp_(weight.grad, 1 - self.defaults["momentum"])
            looks.append((weight, weight.grad.lerp(move, self.defaults["momentum"])))
        made = together.shared([partial(orthogonal, look) for _, look in looks], [look.numel() for _, look in looks])
        return {weight: flat.view_as(weight) for (weight, _), flat in zip(looks, made, strict=True)}


def groups(
    module: nn.Module,
    lr: float,
    plain: float,
    *,
    skip: tuple[str, ...] = ("embed", "out.", "position", "heads", "spots"),
) -> list[dict[str, Any]]:
    """Inner matrices to Muon with ``lr``; embeddings, heads, vectors to AdamW with ``plain``.

    The projection of patches is an inner matrix: under AdamW its gradients, nearly all of them brightness, left three
    quarters of its filters as random as they began.
    """
    matrices: list[Tensor] = []
    rest: list[Tensor] = []
    for name, weight in module.named_parameters():
        (rest if weight.ndim != 2 or any(s in name for s in skip) else matrices).append(weight)
    return [
        {"params": matrices, "lr": lr, "top": lr, "muon": True},
        {"params": rest, "lr": plain, "top": plain, "muon": False},
    ]


class Average:
    """The running mean of a module's weights: what is exported. It is calmer than any single step, at any time."""

    def __init__(self, module: nn.Module, kept: dict[str, Tensor] | None = None) -> None:
        self.weights = {name: w.detach().clone() for name, w in (kept or module.state_dict()).items()}
        self._steps = 1000 if kept else 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        self._steps += 1
        share = max(0.005, 1 / (1 + self._steps / 4))
        for name, weight in module.state_dict().items():
            self.weights[name].lerp_(weight, share)
