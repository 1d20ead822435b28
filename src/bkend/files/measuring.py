"""Width and height of a picture, from its first bytes (30 §3)."""

from __future__ import annotations

MEASURED = frozenset({"image/png", "image/gif", "image/jpeg", "image/webp"})
READ = 256 * 1024
"""So many bytes are looked at."""
_Sides = tuple[int | None, int | None]
_UNKNOWN: _Sides = (None, None)
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xDA)})
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def measure(head: bytes) -> _Sides:
    """The sides in pixels as they are stored; None each where the bytes do not tell."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        return _sides(_big(head, 16, 4), _big(head, 20, 4))
    if head.startswith((b"GIF87a", b"GIF89a")) and len(head) >= 10:
        return _sides(_little(head, 6, 2), _little(head, 8, 2))
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp(head)
    return _jpeg(head) if head.startswith(b"\xff\xd8") else _UNKNOWN


def _webp(head: bytes) -> _Sides:
    kind = head[12:16]
    if kind == b"VP8X" and len(head) >= 30:
        return _sides(_little(head, 24, 3) + 1, _little(head, 27, 3) + 1)
    if kind == b"VP8L" and len(head) >= 25:
        bits = _little(head, 21, 4)
        return _sides((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a" and len(head) >= 30:
        return _sides(_little(head, 26, 2) & 0x3FFF, _little(head, 28, 2) & 0x3FFF)
    return _UNKNOWN


def _jpeg(head: bytes) -> _Sides:
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _JPEG_FRAMES:
            return _sides(_big(head, at + 7, 2), _big(head, at + 5, 2))
        elif marker in _JPEG_WITHOUT_LENGTH:
            at += 2
        else:
            at += 2 + max(2, _big(head, at + 2, 2))
    return _UNKNOWN


def _sides(width: int, height: int) -> _Sides:
    return (width, height) if width and height else _UNKNOWN


def _big(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "big")


def _little(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "little")
