"""The vocabulary, and conversations as token ids: the same cuts as the engine makes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from bot import answer, prompt
from bot.model import Action, Conversation
from bot.ports import Message
from inference.demo import shelf
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


def drill(tokenizer: Tokenizer, rng: random.Random) -> Row:
    """Product lines, and then one look-up in them after the other: nothing but copying, as densely as it goes.

    What a tower of this size learns late and suddenly in conversations it learns here in a few hundred steps.
    """
    kinds = [rng.choice(KINDS)] * 8 if rng.random() < 0.5 else [rng.choice(KINDS) for _ in range(8)]
    lines = [shelf.line(rng, rng.choice(COLOURS), rng.choice(PATTERNS), kind) for kind in kinds]
    lines = list({entry.name: entry for entry in lines[: rng.randint(1, 6)]}.values())
    parts: list[tuple[str, bool]] = [("资料：" + "".join(f"\n{entry.text}" for entry in lines) + "\n", False)]
    for _ in range(rng.randint(8, 16)):
        entry = rng.choice(lines)
        ask = rng.choice(("price", "price", "stock", "stock", "price_stock", "size", "material"))
        if rng.random() < 0.3:  # the other way round: whose is it?
            parts += [(f"{entry.price}元", False), (entry.name, True), ("。", False)]
        else:
            parts += [(entry.name, False), (entry.answer(ask).removeprefix(entry.name), True)]
    out = Row([], [], [], [])
    for text, asked in parts:
        start = len(out.ids)
        out.ids += tokenizer.encode(text).ids
        if asked:
            out.chosen.append(list(range(start, len(out.ids))))
    out.positions = [(k, k, k) for k in range(len(out.ids))]
    return out


def sight(tokenizer: Tokenizer, shown: Sequence[tuple[int, str, Sequence[tuple[str, str]]]]) -> Row:
    """Pictures, each with its record and many short questions: nothing but looking. (number, answer, questions)"""
    out = Row([], [], [], [])
    at = 0

    def put(text: str, *, asked: bool) -> None:
        nonlocal at
        ids = tokenizer.encode(text).ids
        if asked:
            out.chosen.append(list(range(len(out.ids), len(out.ids) + len(ids))))
        out.ids.extend(ids)
        out.positions.extend((at + k, at + k, at + k) for k in range(len(ids)))
        at += len(ids)

    for number, record, questions in shown:
        put(chat.VISION_START, asked=False)
        out.pictures.append((number, len(out.ids)))
        out.ids.extend([tokenizer.token_to_id("<|image_pad|>")] * MERGED)
        out.positions.extend((at, at + k // 4, at + k % 4) for k in range(MERGED))
        at += 4
        put(chat.VISION_END, asked=False)
        for question, reply in questions:
            put(question, asked=False)
            put(reply, asked=True)
        for text, forced in segments(chat.Written(record)):
            put(text, asked=not forced)
    return out


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


def prefix(tokenizer: Tokenizer, shared: Message) -> list[int]:
    out: list[int] = []
    for piece in (*chat.opening(shared), *chat.closing(shared)):
        assert isinstance(piece, chat.Control | chat.Words)
        out += tokenizer.encode(piece.text).ids
    return out


def row(tokenizer: Tokenizer, shared: Message, talk: Conversation, *, spoken: Sequence[str] | None = None) -> Row:
    """``spoken`` stands for the pictures in words, picture after picture: for the time before the model can see."""
    out = Row([], [], [], [])
    at = 0
    skip = 3  # the system message
    left = list(spoken or ())

    def put(text: str) -> int:
        nonlocal at
        ids = tokenizer.encode(text).ids
        out.ids.extend(ids)
        out.positions.extend((at + k, at + k, at + k) for k in range(len(ids)))
        at += len(ids)
        return len(ids)

    pad = tokenizer.token_to_id("<|image_pad|>")
    for piece in pieces(shared, talk)[skip:]:
        if isinstance(piece, chat.Image):
            if spoken is not None:
                put(left.pop(0))
                continue
            out.pictures.append((int(piece.photo.sha256, 16), len(out.ids)))
            out.ids.extend([pad] * MERGED)
            out.positions.extend((at, at + k // 4, at + k % 4) for k in range(MERGED))
            at += 4
        elif isinstance(piece, chat.Written):
            places: list[int] = []
            for text, forced in segments(piece):
                start = len(out.ids)
                put(text)
                if not forced:
                    places.extend(range(start, len(out.ids)))
            out.chosen.append(places)
        elif isinstance(piece, chat.Control | chat.Words):
            put(piece.text)
    return out
