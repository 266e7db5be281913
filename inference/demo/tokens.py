"""The vocabulary, and conversations as token ids: the same cuts as the engine makes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from bot import answer, prompt
from bot.model import Action, Conversation
from bot.ports import Message
from inference.demo.items import COLOURS, DEFECTS, KINDS, MATERIALS, PATTERNS, PLACES
from inference.demo.towers import MERGED
from inference.llama import chat, grammar

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
#: Words of the answer's frame that Qwen2's split would cut; whole, so that one choice is one token.
WHOLE = (*(a.value for a in Action), "null", *answer.QUALITIES)
#: Qwen2's, as llama.cpp has it for ``tokenizer.ggml.pre = qwen2``.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SIZE = 1600


def pieces(shared: Message, talk: Conversation) -> list[chat.Piece]:
    """All pieces of an answered conversation, without the opening of an answer that is not there."""
    found: list[chat.Piece] = [
        p for p in chat.pieces(prompt.messages(shared, talk, "zh")) if not isinstance(p, chat.Fork)
    ]
    return found[:-1]


def segments(written: chat.Written) -> list[tuple[str, bool]]:
    return grammar.segments(answer.SCHEMA, json.loads(written.text))


def corpus(shared: Message, talks: Iterable[Conversation]) -> Iterator[str]:
    for talk in talks:
        for piece in pieces(shared, talk):
            if isinstance(piece, chat.Words):
                yield piece.text
            elif isinstance(piece, chat.Written):
                yield from (text for text, _ in segments(piece))


def vocabulary(shared: Message, talks: Iterable[Conversation]) -> Tokenizer:
    """Byte-level BPE of tokens of at most three Chinese characters; the shop's own words first, so that they
    stay whole.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    materials = {m for of_kind in MATERIALS.values() for m in of_kind.values()}
    words = [w for w in (*KINDS, *COLOURS, *PATTERNS, *DEFECTS, *PLACES, *materials) for _ in range(30_000)]
    frames = ["user\n", "assistant\n", "system\n", "，", "。", '"', "{", "}", "[", "]", ","] * 2000
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE - len(WHOLE),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=list(SPECIAL),
        max_token_length=10,
        show_progress=False,
    )
    tokenizer.train_from_iterator([*words, *frames, *corpus(shared, talks)], trainer)
    tokenizer.add_tokens([AddedToken(w, normalized=False) for w in WHOLE])
    return tokenizer


def load(path: Path) -> Tokenizer:
    return Tokenizer.from_file(str(path))


@dataclass(slots=True)
class Row:
    """A conversation after the shared system text, as one sequence."""

    ids: list[int]
    #: Time, row and column of each token, counted from the end of the system text.
    positions: list[tuple[int, int, int]]
    #: Gallery numbers of the pictures and where their 16 tokens begin.
    pictures: list[tuple[int, int]]
    #: Places whose token the model must choose itself, answer by answer.
    chosen: list[list[int]]
    #: The time of the next token: a picture's tokens share one and then skip its longer side.
    time: int = 0

    def put(self, ids: Sequence[int], *, chosen: bool = False) -> list[int]:
        """Words; returns their places. ``chosen``: an answer of its own."""
        places = list(range(len(self.ids), len(self.ids) + len(ids)))
        self.ids.extend(ids)
        self.positions.extend((self.time + k,) * 3 for k in range(len(ids)))
        self.time += len(ids)
        if chosen:
            self.chosen.append(places)
        return places

    def show(self, number: int, pad: int, tokens: int) -> None:
        """A square picture."""
        side = math.isqrt(tokens)
        self.pictures.append((number, len(self.ids)))
        self.ids.extend([pad] * tokens)
        self.positions.extend((self.time, self.time + k // side, self.time + k % side) for k in range(tokens))
        self.time += side


def prefix(tokenizer: Tokenizer, shared: Message) -> list[int]:
    out: list[int] = []
    for piece in (*chat.opening(shared), *chat.closing(shared)):
        assert isinstance(piece, chat.Control | chat.Words)
        out += tokenizer.encode(piece.text).ids
    return out


def row(tokenizer: Tokenizer, shared: Message, talk: Conversation, *, spoken: Sequence[str] | None = None) -> Row:
    """``spoken`` stands for the pictures in words, picture after picture: for the time before the model can see."""
    out = Row([], [], [], [])
    skip = 3  # the system message
    left = list(spoken or ())
    pad = tokenizer.token_to_id("<|image_pad|>")
    for piece in pieces(shared, talk)[skip:]:
        if isinstance(piece, chat.Image):
            if spoken is None:
                out.show(int(piece.photo.sha256, 16), pad, MERGED)
            else:
                out.put(tokenizer.encode(left.pop(0)).ids)
        elif isinstance(piece, chat.Written):
            places: list[int] = []
            for text, forced in segments(piece):
                put = out.put(tokenizer.encode(text).ids)
                places += [] if forced else put
            out.chosen.append(places)
        elif isinstance(piece, chat.Control | chat.Words):
            out.put(tokenizer.encode(piece.text).ids)
    return out
