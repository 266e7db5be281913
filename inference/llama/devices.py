"""The accelerators that this build of llama.cpp can use."""

from __future__ import annotations

import ctypes

from inference.hardware import Device, Kind
from inference.llama import logs

#: ``ggml_backend_dev_type``: the processor itself, a card, a card that shares the machine's memory.
_GPU, _IGPU = 1, 2


def find() -> tuple[Device, ...]:
    """Cards, in llama.cpp's order; none on a plain processor."""
    from llama_cpp import _ggml, llama_cpp  # loads the library: only where it is asked for

    logs.route()
    llama_cpp.llama_backend_init()
    ggml = _ggml.libggml
    ggml.ggml_backend_dev_count.restype = ctypes.c_size_t
    ggml.ggml_backend_dev_get.argtypes = [ctypes.c_size_t]
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_type.argtypes = [ctypes.c_void_p]
    ggml.ggml_backend_dev_type.restype = ctypes.c_int
    for text in (ggml.ggml_backend_dev_name, ggml.ggml_backend_dev_description):
        text.argtypes, text.restype = [ctypes.c_void_p], ctypes.c_char_p
    ggml.ggml_backend_dev_memory.argtypes = [ctypes.c_void_p, *[ctypes.POINTER(ctypes.c_size_t)] * 2]
    ggml.ggml_backend_dev_memory.restype = None
    out = []
    for at in range(ggml.ggml_backend_dev_count()):
        device = ggml.ggml_backend_dev_get(at)
        kind = ggml.ggml_backend_dev_type(device)
        if kind not in (_GPU, _IGPU):
            continue
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        ggml.ggml_backend_dev_memory(device, ctypes.byref(free), ctypes.byref(total))
        name = ggml.ggml_backend_dev_name(device).decode("utf-8", "replace")
        about = ggml.ggml_backend_dev_description(device).decode("utf-8", "replace")
        metal = name.lower().startswith(("metal", "mtl"))
        out.append(Device(name=about, kind=_kind(name), free=free.value, shared=metal or kind == _IGPU))
    return tuple(out)


def _kind(name: str) -> Kind:
    lower = name.lower()
    if lower.startswith("cuda"):
        return "cuda"
    return "metal" if lower.startswith(("metal", "mtl")) else "other"
