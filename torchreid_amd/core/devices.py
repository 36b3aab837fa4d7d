"""Where to compute, checked before anything is moved there."""

from __future__ import annotations

import torch

from torchreid_amd.core.errors import InputError


def usable_device(device: torch.device | str) -> torch.device:
    """A device that this machine and this build of PyTorch have.

    Args:
        device: e.g. ``'cpu'``, ``'cuda'``, ``'cuda:1'``.

    Raises:
        InputError: there is none of that name here.
    """
    try:
        found = torch.device(device)
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        said = " ".join(str(error).split())[:100]
        have = "'cuda' or 'cpu'" if torch.cuda.is_available() else "'cpu': there is no CUDA here"
        raise InputError(f"device {str(device)!r} cannot be used ({said}); give {have}") from None
    return found


def has_bf16(device: torch.device) -> bool:
    """Whether a device multiplies matrices in bfloat16 by instructions of its own."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    known = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # private: either may go
    return any(bool(getattr(torch.cpu, name, lambda: False)()) for name in known)
