"""How long an answer will take: what is to be computed, at the rates that were measured. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from inference.llama import chat
from inference.llama.memory import Pieces
from inference.llama.rates import Rates

#: Tokens of the control pieces around a message or a photo, about.
_CONTROL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What stands between a request and its first token."""

    #: Tokens of each photo that must be encoded.
    encode: tuple[int, ...] = ()
    #: Rows of each photo that must be put into the context.
    show: tuple[int, ...] = ()
    #: Tokens of each run of text: between two photos, or up to the fork.
    prompt: tuple[float, ...] = ()

    def seconds(self, rates: Rates, batch: int) -> float:
        return (
            sum(rates.encode.at(cells) for cells in self.encode)
            # Before the first photo: rows of a photo cost what tokens cost.
            + sum(_batches(rates.show.at if rates.show else rates.decode.at, cells, batch) for cells in self.show)
            + sum(_batches(rates.decode.at, cells, batch) for cells in self.prompt)
        )


def _batches(at: Callable[[float], float], cells: float, batch: int) -> float:
    whole, rest = divmod(cells, batch)
    return whole * at(batch) + at(rest)


def work(
    legs: Iterable[Pieces], rates: Rates, cells_of: Callable[[chat.Image], int], known: Callable[[str], bool]
) -> Work:
    """The work of pieces that are not computed yet, leg after leg; a photo that is ``known`` is encoded already."""
    encode: list[int] = []
    show: list[int] = []
    prompt: list[float] = []
    seen: set[str] = set()
    for leg in legs:
        run = 0.0
        for piece in leg:
            if not isinstance(piece, chat.Image):
                run += _tokens(piece, rates)
                continue
            prompt.append(run)
            run = 0.0
            cells = cells_of(piece)
            show.append(cells)
            if piece.photo.sha256 not in seen and not known(piece.photo.sha256):
                encode.append(cells)
            seen.add(piece.photo.sha256)
        prompt.append(run)
    return Work(encode=tuple(encode), show=tuple(show), prompt=tuple(run for run in prompt if run))


def _tokens(piece: chat.Piece, rates: Rates) -> float:
    match piece:
        case chat.Words(text) | chat.Written(text):
            return rates.tokens(len(text.encode("utf-8", "replace")))
        case chat.Control():
            return _CONTROL
        case _:
            return 0.0
