"""Several processes of one thread each, learning one model: their gradients are averaged after every step.

On shared cores this is faster than one process with several threads, which wait for each other many times in a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, distributed, nn


def join(meeting: Path, rank: int, workers: int) -> None:
    """Meets the other processes through a file, which must be a new one each time."""
    torch.set_num_threads(1)
    if workers > 1:
        distributed.init_process_group("gloo", init_method=f"file://{meeting.resolve()}", rank=rank, world_size=workers)


def average(module: nn.Module) -> None:
    """Every process goes on with the mean of all gradients. Alone: nothing."""
    if not distributed.is_initialized():
        return
    grads = [p.grad for p in module.parameters() if p.grad is not None]
    flat = torch.cat([grad.flatten() for grad in grads])
    distributed.all_reduce(flat)
    flat /= distributed.get_world_size()
    for grad, part in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
        grad.copy_(part.view_as(grad))


def shared(work: Sequence[Callable[[], Tensor]], sizes: Sequence[int]) -> list[Tensor]:
    """What every piece of ``work`` returns, flat; each is done by one of the processes. ``sizes``: numbers of elements,
    from which all of them divide the work alike.
    """
    if not distributed.is_initialized():
        return [piece().flatten() for piece in work]
    load = [0] * distributed.get_world_size()
    mine, out = distributed.get_rank(), [torch.zeros(size) for size in sizes]
    for k in sorted(range(len(work)), key=lambda k: -sizes[k]):
        rank = load.index(min(load))
        load[rank] += sizes[k]
        if rank == mine:
            out[k] = work[k]().flatten()
    flat = torch.cat(out)
    distributed.all_reduce(flat)
    return list(flat.split(list(sizes)))
