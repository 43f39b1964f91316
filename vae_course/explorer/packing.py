"""Numbers as text that a page can hold and a script can unpack: base64, little endian."""

import base64
import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

QUALITY = 50  # of WebP, from 0 to 100: at 40 a small smile looks like a smaller one


def float32(values: Tensor) -> str:
    """Any shape, row by row, as 32-bit floats."""
    return _text(values.detach().cpu().numpy().astype("<f4"))


def bytes8(pictures: Tensor) -> str:
    """Grey values in [0, 1], clipped, as bytes from 0 to 255."""
    return _text((pictures.detach().cpu().clamp(0, 1) * 255).round().numpy().astype(np.uint8))


def nibbles(pictures: Tensor) -> str:
    """Grey values in [0, 1], clipped, with 4 bits: two to a byte, the first one high."""
    levels = (pictures.detach().cpu().flatten().clamp(0, 1) * 15).round().numpy().astype(np.uint8)
    pairs = np.pad(levels, (0, len(levels) % 2)).reshape(-1, 2)
    return _text(pairs[:, 0] << 4 | pairs[:, 1])


def webp(pictures: Tensor, columns: int) -> str:
    """Colour pictures (N, 3, H, W) in [0, 1], row by row, `columns` to a row, as one lossy sheet.

    Raises ValueError if they do not fill the last row.
    """
    n, channels, height, width = pictures.shape
    if n % columns:
        raise ValueError(f"{n} pictures do not fill rows of {columns}")
    sheet = pictures.detach().cpu().clamp(0, 1).view(-1, columns, channels, height, width)
    sheet = sheet.permute(0, 3, 1, 4, 2).reshape(-1, columns * width, channels)
    file = io.BytesIO()
    image = Image.fromarray((255 * sheet).round().byte().numpy())
    image.save(file, "webp", quality=QUALITY, method=6)
    return base64.b64encode(file.getvalue()).decode()


def rows(matrix: Tensor, bits: int | Tensor = 16) -> dict:
    """(out, in) as whole numbers of `bits` bits, 2 to 16, and a 32-bit scale for each row.

    `bits` is one number, or one for each row, (out,). With 16 bits finer than a 16-bit float where
    it counts: an error is at most 1/65534 of the row's largest number.
    """
    bits = torch.as_tensor(bits).expand(len(matrix))
    whole, scale = _round_rows(matrix, bits)
    digits = (whole + 2.0 ** (bits[:, None] - 1)).long().numpy()
    places = [
        (row[:, None] >> np.arange(n)[::-1] & 1).flatten()  # highest bit first
        for row, n in zip(digits, bits.tolist(), strict=True)
    ]
    same = bits.min() == bits.max()
    packed = _text(np.packbits(np.concatenate(places)))
    told = bits[0].item() if same else bits.tolist()
    return {"rows": packed, "bits": told, "scale": float32(scale)}


def rounded(matrix: Tensor, bits: int | Tensor = 16) -> Tensor:
    """(out, in) as it comes back from `rows`."""
    whole, scale = _round_rows(matrix, torch.as_tensor(bits).expand(len(matrix)))
    return (whole * scale[:, None]).to(matrix.dtype)


def _round_rows(matrix: Tensor, bits: Tensor) -> tuple[Tensor, Tensor]:
    matrix, largest = matrix.detach().cpu().double(), 2.0 ** (bits.double() - 1) - 1
    scale = (matrix.abs().amax(1) / largest).clamp(min=1e-30).float().double()
    whole = torch.round(matrix / scale[:, None])
    return torch.minimum(whole.abs(), largest[:, None]) * whole.sign(), scale


def _text(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()
