"""What a call of the Bot API brings along, taken apart and held against the limits of the Bot API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from email.message import Message
from email.parser import BytesParser
from typing import Any, overload
from urllib.parse import parse_qsl

Files = Mapping[str, bytes]

_MISSING = object()


class Invalid(Exception):
    """A parameter that the Bot API does not take."""


class Form:
    """The parameters of one call. Each is asked for once; :meth:`done` complains about those that nobody asked for."""

    def __init__(self, method: str, params: Mapping[str, str], files: Files) -> None:
        self._method = method
        self._params = dict(params)
        self._files = dict(files)

    def done(self) -> None:
        """Raises :class:`Invalid` for what the method does not know."""
        if self._params or self._files:
            raise Invalid(f"{self._method} does not know {sorted([*self._params, *self._files])}")

    @overload
    def integer(self, name: str, default: int, *, least: int = ..., most: int = ...) -> int: ...
    @overload
    def integer(self, name: str, *, least: int = ..., most: int = ...) -> int: ...
    @overload
    def integer(self, name: str, default: None, *, least: int = ..., most: int = ...) -> int | None: ...
    def integer(
        self, name: str, default: object = _MISSING, *, least: int = -(2**31), most: int = 2**31 - 1
    ) -> int | None:
        value = self._params.pop(name, None)
        if value is None:
            if default is _MISSING:
                raise Invalid(f"{name} is missing")
            assert default is None or isinstance(default, int)
            return default
        try:
            number = int(value)
        except ValueError as error:
            raise Invalid(f"{name} is not a number: {value!r}") from error
        if not least <= number <= most:
            raise Invalid(f"{name} is {number}, but {least} to {most} is allowed")
        return number

    def flag(self, name: str) -> bool:
        value = self._params.pop(name, "false")
        if value not in {"true", "false"}:
            raise Invalid(f"{name} is no truth value: {value!r}")
        return value == "true"

    def text(self, name: str, default: str | None = None, *, most: int) -> str:
        """Words, at most ``most`` UTF-16 units; blank ones only where there is a default."""
        value = self._params.pop(name, default)
        if value is None:
            raise Invalid(f"{name} is missing")
        if default is None and not value.strip():
            raise Invalid(f"{name} is empty")
        try:
            length = len(value.encode("utf-16-le")) // 2
        except UnicodeEncodeError as error:
            raise Invalid(f"{name} is no Unicode text") from error
        if length > most:
            raise Invalid(f"{name} is too long: {length} of {most} UTF-16 units")
        return value

    def json(self, name: str, default: Any = _MISSING) -> Any:
        value = self._params.pop(name, None)
        if value is None:
            if default is _MISSING:
                raise Invalid(f"{name} is missing")
            return default
        try:
            return json.loads(value)
        except ValueError as error:
            raise Invalid(f"{name} is no JSON") from error

    def buttons(self) -> tuple[tuple[str, str], ...]:
        """Of an inline keyboard: what each button gives back, and its words."""
        markup = self.json("reply_markup", None)
        if markup is None:
            return ()
        if not isinstance(markup, dict) or set(markup) != {"inline_keyboard"}:
            raise Invalid("reply_markup is no inline keyboard")
        buttons = []
        for row in markup["inline_keyboard"]:
            if not 1 <= len(row) <= 8:
                raise Invalid("a row of buttons has 1 to 8")
            for button in row:
                if set(button) != {"text", "callback_data"} or not button["text"].strip():
                    raise Invalid(f"a button has words and callback_data: {button}")
                if not 1 <= len(button["callback_data"].encode()) <= 64:
                    raise Invalid("callback_data has 1 to 64 bytes")
                buttons.append((button["callback_data"], button["text"]))
        if not 1 <= len(buttons) <= 100:
            raise Invalid("a keyboard has 1 to 100 buttons")
        return tuple(buttons)

    def file(self, name: str, *, most: int) -> bytes:
        """An uploaded file, named directly or by ``attach://``."""
        value = self._params.pop(name, None)
        key = name if value is None else value.removeprefix("attach://")
        data = self._files.pop(key, None)
        if not data:
            raise Invalid(f"{name} is no uploaded file")
        if len(data) > most:
            raise Invalid(f"{name} has {len(data)} bytes, but {most} are allowed")
        return data

    def media(self, name: str) -> list[tuple[bytes, str]]:
        """The photos of an album with their captions."""
        items = self.json(name)
        if not isinstance(items, list) or not 2 <= len(items) <= 10:
            raise Invalid("an album has 2 to 10 pictures")
        album = []
        for item in items:
            if item.get("type") != "photo" or not str(item.get("media", "")).startswith("attach://"):
                raise Invalid(f"{name} holds something that is no uploaded photo")
            part = Form(self._method, {"photo": item["media"], "caption": item.get("caption", "")}, self._files)
            album.append((part.file("photo", most=10 * 1024 * 1024), part.text("caption", "", most=1024)))
            self._files = part._files
        return album


def read_form(content_type: str, body: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    """Parameters and files of a POST, as form fields or as multipart."""
    if content_type.startswith("multipart/form-data"):
        return _multipart(content_type, body)
    pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body))
    return dict(pairs), {}


def _multipart(content_type: str, body: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    whole = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    params: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in whole.get_payload():
        assert isinstance(part, Message)
        name = str(part.get_param("name", header="content-disposition"))
        data = part.get_payload(decode=True)
        assert isinstance(data, bytes)
        if part.get_filename() is None:
            params[name] = data.decode()
        else:
            files[name] = data
    return params, files
