"""The two towers of a tiny Qwen3-VL, in plain torch, for one fixed picture geometry.

The same arithmetic as llama.cpp's ``qwen3vl`` (checked through it by ``score.py``), but a third of the time of
the general implementation: pictures are always 128 × 128, 8 × 8 patches of 16, merged 2 × 2 into 16 visual
tokens, and the system text that all samples share is computed once per batch.
"""

# torch is no dependency of the product, so that mypy may not see it: its classes and decorators are untyped here.
# mypy: disable-error-code="misc, untyped-decorator"
from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

GRID, PATCH, MERGED = 8, 16, 16


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes that a checkpoint is tied to."""

    vocabulary: int = 0
    width: int = 192
    depth: int = 6
    head: int = 32
    inner: int = 512
    sees_width: int = 128
    sees_depth: int = 5
    sees_inner: int = 512
    #: After these blocks of the vision tower a view of the picture goes straight into the text tower's first layers.
    deepstack: tuple[int, ...] = (0, 2)

    @property
    def sections(self) -> tuple[int, int, int]:
        """How many rotary frequencies turn with time, row and column."""
        side = self.head // 6
        return self.head // 2 - 2 * side, side, side


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """``x`` [..., tokens, head], ``cos`` and ``sin`` [tokens, head]."""
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


class Merger(nn.Module):
    """Four neighbouring patches → one visual token as wide as the text. [B, 64, c] in merge order → [B, 16, width]"""

    def __init__(self, c: int, width: int, *, after: bool) -> None:
        super().__init__()
        self.after = after
        self.norm = nn.LayerNorm(4 * c if after else c, eps=1e-6)
        self.fc1, self.fc2 = nn.Linear(4 * c, 4 * c), nn.Linear(4 * c, width)

    def forward(self, x: Tensor) -> Tensor:
        b, _, c = x.shape
        x = self.norm(x.reshape(b, MERGED, 4 * c)) if self.after else self.norm(x).reshape(b, MERGED, 4 * c)
        y: Tensor = self.fc2(functional.gelu(self.fc1(x), approximate="tanh"))
        return y


class Block(nn.Module):
    def __init__(self, c: int, inner: int, head: int) -> None:
        super().__init__()
        self.head = head
        self.norm1, self.norm2 = nn.LayerNorm(c, eps=1e-6), nn.LayerNorm(c, eps=1e-6)
        self.qkv, self.proj = nn.Linear(c, 3 * c), nn.Linear(c, c)
        self.fc1, self.fc2 = nn.Linear(c, inner), nn.Linear(inner, c)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, c // self.head, self.head).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v)
        x = x + self.proj(y.transpose(1, 2).reshape(b, n, c))
        y = self.fc2(functional.gelu(self.fc1(self.norm2(x)), approximate="tanh"))
        return x + y


class Vision(nn.Module):
    """Pictures, bytes [B, 128, 128, 3] → tokens [B, 16, (1 + deepstack) · width]: the picture, then its
    deepstack views.
    """

    cos: Tensor
    sin: Tensor
    order: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        c = shape.sees_width
        self.shape = shape
        # Both frames of llama.cpp's «video» of one picture are the same, so that one projection stands for two.
        self.patch = nn.Linear(3 * PATCH * PATCH, c)
        self.position = nn.Parameter(torch.randn(GRID * GRID, c) * 0.02)
        self.blocks = nn.ModuleList(Block(c, shape.sees_inner, shape.head) for _ in range(shape.sees_depth))
        self.merger = Merger(c, shape.width, after=False)
        self.deep = nn.ModuleList(Merger(c, shape.width, after=True) for _ in shape.deepstack)
        at = torch.arange(GRID * GRID).view(GRID // 2, 2, GRID // 2, 2).transpose(1, 2).reshape(-1)
        self.register_buffer("order", at, persistent=False)
        speeds = 10000.0 ** -(torch.arange(0, shape.head // 2, 2) / (shape.head // 2))
        turn = torch.cat(((at // GRID)[:, None] * speeds, (at % GRID)[:, None] * speeds), -1).repeat(1, 2)
        self.register_buffer("cos", turn.cos(), persistent=False)
        self.register_buffer("sin", turn.sin(), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.watched(pictures)[0]

    def watched(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """The tokens, and what the last block knew of every patch: [B, 64, c] in the order ``order``."""
        b = len(pictures)
        x = pictures.view(b, GRID, PATCH, GRID, PATCH, 3).permute(0, 1, 3, 5, 2, 4).reshape(b, GRID * GRID, -1)
        x = self.patch(x.float() / 127.5 - 1)[:, self.order] + self.position[self.order]
        views: list[Tensor] = []
        for at, block in enumerate(self.blocks):
            x = block(x, self.cos, self.sin)
            if at in self.shape.deepstack:
                views.append(self.deep[len(views)](x))
        return torch.cat((self.merger(x), *views), -1), x


class Norm(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n))

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), self.weight, 1e-6)


class Layer(nn.Module):
    """One layer of the text tower over a flat list of tokens: first the shared prefix (P tokens), then B rows of L."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        w, self.head = shape.width, shape.head
        self.norm1, self.norm2 = Norm(w), Norm(w)
        self.q, self.k, self.v, self.o = (nn.Linear(w, w, bias=False) for _ in range(4))
        self.q_norm, self.k_norm = Norm(shape.head), Norm(shape.head)
        self.gate, self.up = nn.Linear(w, shape.inner, bias=False), nn.Linear(w, shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, w, bias=False)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, p: int, rows: int, mask: Tensor, wanted: Tensor | None = None
    ) -> Tensor:
        """x [P + B·L, width] → the same, or, with ``wanted`` [n], of these places alone: [n, width]."""
        h = self.norm1(x)
        n = x.shape[-1] // self.head
        q = rotate(self.q_norm(self.q(h).view(-1, n, self.head)), cos, sin)
        k = rotate(self.k_norm(self.k(h).view(-1, n, self.head)), cos, sin)
        v = self.v(h).view(-1, n, self.head)
        first = functional.scaled_dot_product_attention(
            *(t[:p].transpose(0, 1)[None] for t in (q, k, v)), is_causal=True
        )
        qr, kr, vr = (t[p:].view(rows, -1, n, self.head).transpose(1, 2) for t in (q, k, v))
        kr, vr = (
            torch.cat((t[:p].transpose(0, 1)[None].expand(rows, -1, -1, -1), r), 2) for t, r in ((k, kr), (v, vr))
        )
        rest = functional.scaled_dot_product_attention(qr, kr, vr, attn_mask=mask)
        y = torch.cat((first[0].transpose(0, 1).reshape(p, -1), rest.transpose(1, 2).reshape(x.shape[0] - p, -1)))
        if wanted is not None:
            x, y = x[wanted], y[wanted]
        x = x + self.o(y)
        h = self.norm2(x)
        y = self.down(functional.silu(self.gate(h)) * self.up(h))
        return x + y


class Text(nn.Module):
    speeds: Tensor
    axis: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.depth))
        self.norm = Norm(shape.width)
        self.out = nn.Linear(shape.width, shape.vocabulary, bias=False)
        half = shape.head // 2
        self.register_buffer("speeds", 10000.0 ** -(torch.arange(half) / half), persistent=False)
        # Interleaved M-RoPE: frequency k turns with row (k ≡ 1 mod 3), column (k ≡ 2 mod 3) or time.
        _, rows, columns = shape.sections
        axis = torch.zeros(half, dtype=torch.long)
        axis[1 : 3 * rows : 3] = 1
        axis[2 : 3 * columns : 3] = 2
        self.register_buffer("axis", axis, persistent=False)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                deep = name.endswith(("o.weight", "down.weight"))
                nn.init.normal_(
                    weight,
                    std=0.02
                    if name.startswith("embed")
                    else 1 / math.sqrt(weight.shape[1] * (2 * shape.depth if deep else 1)),
                )
        nn.init.normal_(self.out.weight, std=0.02)

    def forward(
        self, prefix: Tensor, rows: Tensor, positions: Tensor, seen: Tensor, at: Tensor, wanted: Tensor
    ) -> Tensor:
        """Logits at the ``wanted`` places.

        prefix [P] and rows [B, L]: token ids; positions [P + B·L, 3]: time, row, column; seen [m, (1 +
        deepstack) · width]: visual tokens that belong at the flat places ``at`` [m] (counted from the first row
        token on); wanted [n]: likewise.
        """
        p, (b, length) = len(prefix), rows.shape
        turn = positions[:, self.axis] * self.speeds
        turn = torch.cat((turn, turn), -1)[:, None]
        cos, sin = turn.cos(), turn.sin()
        x = self.embed(torch.cat((prefix, rows.reshape(-1))))
        views = seen.split(self.shape.width, -1)
        x = x.index_put((at + p,), views[0])
        mask = torch.ones(length, p + length, dtype=torch.bool, device=rows.device).tril(p)
        for n, layer in enumerate(self.layers):
            # Of the last layer only the places that are read are worth their cost.
            last = n + 1 == len(self.layers)
            x = layer(x, cos, sin, p, b, mask, wanted + p if last else None)
            if n + 1 < len(views):
                x = x.index_add(0, at + p, views[n + 1])
        logits: Tensor = self.out(self.norm(x))
        return logits
