"""Pictures small enough to stand inside the page."""

import base64
import io
from pathlib import Path


def compact(path: Path) -> str:
    """A picture as the `data:` address of a lossless WebP, or of the file itself where that is smaller."""
    from PIL import Image

    original = path.read_bytes()
    with Image.open(io.BytesIO(original)) as picture:
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, "WEBP", lossless=True, quality=80, method=4)
    data, kind = min((buffer.getvalue(), "webp"), (original, "png"), key=lambda pair: len(pair[0]))
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
