"""The edge to llama.cpp: a loaded model and its one context. Called from one thread only.

llama.cpp ends the process on what it takes for a mistake of its caller (a batch longer than agreed, a state that was
cut off). Everything that could lead there is checked on this side of the edge.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence as Listed
from dataclasses import dataclass

import llama_cpp as c
import numpy as np
from numpy.typing import NDArray

from bot.errors import EngineError, ModelError
from inference.llama import chat, logs
from inference.llama.sequence import Grid
from inference.llama.settings import Settings

#: Most tokens of one decode.
BATCH = 512

Floats = NDArray[np.float32]


class Model:
    """A text model in memory, as a context manager; whatever was made from it is closed before it."""

    def __init__(self, settings: Settings) -> None:
        """Raises :class:`ModelError` when the file cannot be loaded or does not speak ChatML."""
        logs.route()
        c.llama_backend_init()
        params = c.llama_model_default_params()
        params.n_gpu_layers = settings.gpu_layers
        params.use_extra_bufts = settings.repack
        self.pointer = c.llama_model_load_from_file(str(settings.model).encode(), params)
        if not self.pointer:
            raise ModelError(
                f"{settings.model} cannot be loaded: it is damaged, was cut off, or needs a newer llama.cpp; "
                f"fetch it again ({logs.complaint() or 'no further reason was given'})"
            )
        self._vocabulary = c.llama_model_get_vocab(self.pointer)
        self.tokens: int = c.llama_vocab_n_tokens(self._vocabulary)
        #: Floats of one row of a photo's embeddings.
        self.row: int = c.llama_model_n_embd_inp(self.pointer)
        self.trained: int = c.llama_model_n_ctx_train(self.pointer)
        #: Keeps a state that cannot be mixed with single tokens in one decode for free.
        self.recurrent = bool(c.llama_model_is_recurrent(self.pointer) or c.llama_model_is_hybrid(self.pointer))
        self._bytes: dict[int, bytes] = {}
        if len(self.tokenise(chat.MARKER, special=True)) != 1:
            c.llama_model_free(self.pointer)
            raise ModelError(
                f"{settings.model} does not speak ChatML (its vocabulary has no {chat.MARKER}); "
                "use a model of the Qwen family"
            )

    def __enter__(self) -> Model:
        return self

    def __exit__(self, *exc: object) -> None:
        c.llama_model_free(self.pointer)

    def tokenise(self, text: str, *, special: bool) -> list[int]:
        """The tokens of a text; ``special``: whether names of control tokens in it mean these tokens."""
        # A lone surrogate, as a broken client may send it, has no UTF-8 form.
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        tokens = (c.llama_token * room)()
        count = c.llama_tokenize(self._vocabulary, data, len(data), tokens, room, False, special)
        if count < 0:
            raise EngineError("the model's vocabulary could not take a text apart")
        return list(tokens[:count])

    def bytes_of(self, token: int) -> bytes:
        """What a token adds to a text; nothing for control tokens."""
        if (known := self._bytes.get(token)) is not None:
            return known
        buffer = ctypes.create_string_buffer(256)
        length = c.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, False)
        data = buffer.raw[:length] if length > 0 else b""
        self._bytes[token] = data
        return data


@dataclass(frozen=True, slots=True)
class Slice:
    """Tokens of one sequence to decode; ``read``: whether the last one's logits are wanted."""

    slot: int
    position: int
    tokens: Listed[int]
    read: bool


class Context:
    """The memory of all conversations. Its sequences are copied and dropped whole, never cut."""

    def __init__(self, model: Model, settings: Settings, slots: int) -> None:
        """Raises :class:`ModelError` when the memory does not suffice."""
        params = c.llama_context_default_params()
        params.n_ctx = settings.n_ctx
        params.n_batch = params.n_ubatch = BATCH
        params.n_seq_max = slots
        # Room for the logits of what is sampled; by default it would be for a whole batch (311 MB for Qwen's words).
        params.n_outputs_max = slots
        params.kv_unified = True
        params.n_threads = params.n_threads_batch = settings.threads
        params.no_perf = True
        # Asked for between any two operations: it must not need Python. The length of a text is a function that C has;
        # it turns true when the text is no longer empty.
        self._aborted = ctypes.create_string_buffer(2)
        params.abort_callback = ctypes.cast(ctypes.CDLL(None).strlen, type(params.abort_callback))
        params.abort_callback_data = ctypes.cast(self._aborted, ctypes.c_void_p)
        self._model = model
        self.pointer = c.llama_init_from_model(model.pointer, params)
        if not self.pointer:
            raise ModelError(
                f"{settings.model} is loaded, but a context of {settings.n_ctx} tokens is not: the memory does not "
                f"suffice; make inference.n_ctx smaller ({logs.complaint() or 'no further reason was given'})"
            )
        self._memory = c.llama_get_memory(self.pointer)
        self._tokens = np.zeros(BATCH, np.int32)
        self._positions = np.zeros(4 * BATCH, np.int32)
        self._one = np.ones(BATCH, np.int32)
        self._slots = np.zeros(BATCH, np.int32)
        self._reads = np.zeros(BATCH, np.int8)
        # One pointer to each entry of `_slots`: the form that a batch wants.
        width = self._slots.itemsize
        first = self._slots.ctypes.data
        self._slot_pointers = (ctypes.POINTER(ctypes.c_int32) * BATCH)(
            *(ctypes.cast(first + width * at, ctypes.POINTER(ctypes.c_int32)) for at in range(BATCH))
        )

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *exc: object) -> None:
        c.llama_free(self.pointer)

    def abort(self) -> None:
        """Ends the decode that is running, and every later one; from any thread. What is left is of no use."""
        self._aborted[0] = b"!"

    def threads(self, count: int) -> None:
        c.llama_set_n_threads(self.pointer, count, count)

    def decode(self, slices: Listed[Slice]) -> list[Floats | None]:
        """Decodes tokens of several sequences at once; returns the logits of each slice that wanted them.

        The arrays are views that the next decode overwrites.
        """
        count, ends = 0, []
        for part in slices:
            until = count + len(part.tokens)
            assert part.tokens, "a slice has tokens"
            assert until <= BATCH, "the scheduler keeps to the length of a batch"
            self._tokens[count:until] = part.tokens
            self._positions[count:until] = np.arange(part.position, part.position + len(part.tokens))
            self._slots[count:until] = part.slot
            self._reads[count:until] = 0
            self._reads[until - 1] = part.read
            ends.append(until - 1)
            count = until
        self._run(count, self._tokens, None)
        return [self._logits(end) if part.read else None for part, end in zip(slices, ends, strict=True)]

    def show(self, slot: int, position: int, embeddings: Floats, grid: Grid, done: int) -> None:
        """Puts rows of a photo into a sequence, beginning with row ``done``; ``position`` is that of the photo.

        M-RoPE: all rows of a photo share one time, and each has its own line and column.
        """
        count = len(embeddings)
        assert count <= BATCH, "the scheduler keeps to the length of a batch"
        at = np.arange(done, done + count)
        sections = self._positions[: 4 * count].reshape(4, count)
        sections[0] = position
        sections[1] = position + at // grid.columns
        sections[2] = position + at % grid.columns
        sections[3] = 0
        self._slots[:count] = slot
        self._reads[:count] = 0
        self._run(count, None, np.ascontiguousarray(embeddings))

    def _run(self, count: int, tokens: NDArray[np.int32] | None, rows: Floats | None) -> None:
        batch = c.llama_batch()
        batch.n_tokens = count
        if tokens is not None:
            batch.token = tokens.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        if rows is not None:
            batch.embd = rows.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        batch.pos = self._positions.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        batch.n_seq_id = self._one.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        batch.seq_id = self._slot_pointers
        batch.logits = self._reads.ctypes.data_as(ctypes.POINTER(ctypes.c_int8))
        code = c.llama_decode(self.pointer, batch)
        if code and self._aborted[0] != b"\0":
            raise EngineError("the engine was stopped")
        if code:
            raise EngineError(
                f"llama.cpp could not compute a step (code {code}; {logs.complaint() or 'no reason given'})"
            )

    def _logits(self, row: int) -> Floats:
        pointer = c.llama_get_logits_ith(self.pointer, row)
        if not pointer:
            raise EngineError("llama.cpp computed a step but gave no result")
        return np.ctypeslib.as_array(pointer, (self._model.tokens,))

    def copy(self, source: int, target: int) -> None:
        """Copies a whole sequence onto an empty one; costs nothing."""
        c.llama_memory_seq_rm(self._memory, target, -1, -1)
        c.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def drop(self, slot: int) -> None:
        c.llama_memory_seq_rm(self._memory, slot, -1, -1)

    def save(self, slot: int) -> bytes:
        """A sequence's state as bytes, for :meth:`restore`. Empty when it could not be had."""
        size = c.llama_state_seq_get_size(self.pointer, slot)
        buffer = (ctypes.c_uint8 * size)()
        written = c.llama_state_seq_get_data(self.pointer, buffer, size, slot)
        return bytes(memoryview(buffer)[:written])

    def restore(self, slot: int, state: bytes) -> bool:
        """Brings a sequence back under any number. ``state`` must be whole: a cut one would end the process."""
        c.llama_memory_seq_rm(self._memory, slot, -1, -1)
        buffer = (ctypes.c_uint8 * len(state)).from_buffer_copy(state)
        if c.llama_state_seq_set_data(self.pointer, buffer, len(state), slot):
            return True
        c.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return False
