"""An answer while it is written: the grammar, what it forces, the words as they come, and when to stop.

Knows no context and no thread: logits go in, tokens to decode come out.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inference.llama.grammar import Grammar, State
from inference.llama.rates import Length
from inference.llama.sampler import Sampler

Finish = Literal["stop", "length", "repetition"]

#: A text that goes round: a group of at most so many tokens …
_GROUP = 40
#: … comes at least so often in a row …
_TIMES = 4
#: … and fills at least so many tokens.
_FILLED = 24


def goes_round(tokens: Sequence[int]) -> bool:
    """Whether a text ends in one group of tokens said over and over."""
    for size in range(1, min(_GROUP, len(tokens) // _TIMES) + 1):
        times = max(_TIMES, -(-_FILLED // size))
        if len(tokens) >= size * times and all(
            tokens[-at] == tokens[-at - size] for at in range(1, size * (times - 1) + 1)
        ):
            return True
    return False


class Writer:
    def __init__(
        self,
        grammar: Grammar,
        sampler: Sampler,
        *,
        bytes_of: Callable[[int], bytes],
        tokenise: Callable[[str], list[int]],
        max_tokens: int,
        lead: str = "",
    ) -> None:
        """``lead``: the text after which the customer's own words begin, for the figures."""
        self._grammar = grammar
        self._state: State = grammar.start
        self._sampler = sampler
        self._bytes_of = bytes_of
        self._tokenise = tokenise
        self._most = max_tokens
        self._lead = lead
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._sampled: list[int] = []
        self._unread = ""
        self.text = ""
        self.tokens = 0
        #: Decodes that the answer took; the first comes with the prompt's own.
        self.steps = 0
        #: Of these, how many until the first of the customer's own words, and the tokens that they gave to decode.
        self.lead_steps: int | None = None
        self.lead_tokens = 0
        self.finish: Finish | None = None

    def begin(self) -> list[int]:
        """The tokens that every answer begins with: they ride along with the prompt."""
        return self._force()

    def write(self, logits: NDArray[np.float32]) -> list[int]:
        """One token more, and what it forces; when :attr:`finish` is set they need not be decoded at once."""
        self.steps += 1
        token, self._state = self._sampler.choose(logits, self._accept)
        self._sampled.append(token)
        self._say(self._bytes_of(token))
        tokens = [token, *self._force()]
        self.tokens += 1
        if self.lead_steps is None and self._lead in self.text and not self.text.endswith(self._lead):
            self.lead_steps = self.steps
        if self.lead_steps is None:
            self.lead_tokens += len(tokens)
        if self._grammar.done(self._state):
            self.finish = "stop"
        elif self._decoder.getstate()[0]:
            # In the middle of a character, whose bytes are spread over several tokens, one goes on.
            pass
        elif goes_round(self._sampled):
            self.finish = "repetition"
        elif self.tokens >= self._most:
            self.finish = "length"
        if self.finish in ("repetition", "length"):
            tokens += self._close()
        return tokens

    @property
    def length(self) -> Length:
        """How long the answer was. One that never came to the customer's words was all lead."""
        lead = (self.lead_steps or self.steps) - 1
        return Length(lead, self.lead_tokens, self.steps - 1 - lead)

    def read(self) -> str:
        """The text since the last call."""
        out, self._unread = self._unread, ""
        return out

    def _accept(self, token: int) -> State | None:
        data = self._bytes_of(token)
        return self._grammar.accept(self._state, data) if data else None

    def _force(self) -> list[int]:
        if self._decoder.getstate()[0]:
            # The rest of a character that was begun is no text of its own: it is sampled.
            return []
        data, after = self._grammar.forced(self._state)
        text = codecs.getincrementaldecoder("utf-8")().decode(data)
        if len(text.encode()) < len(data):
            # So is a character whose first bytes only are forced.
            ahead = self._grammar.accept(self._state, text.encode())
            assert ahead is not None, "what is forced is accepted"
            after = ahead
        self._state = after
        return self._append(text)

    def _close(self) -> list[int]:
        """Ends the answer in the shortest way that leaves it whole."""
        data = self._grammar.closing(self._state)
        self._state = frozenset({None})
        return self._append(data.decode())

    def _append(self, text: str) -> list[int]:
        self._say(text.encode())
        tokens = self._tokenise(text) if text else []
        self.tokens += len(tokens)
        return tokens

    def _say(self, data: bytes) -> None:
        text = self._decoder.decode(data)
        self.text += text
        self._unread += text
