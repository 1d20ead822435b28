"""Keys of avatars: `avatars/{environment}/{userId}/{uuid}.{ext}` (11 §4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from bkend.ids import uuid4

AREA = "avatars"
TYPES = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
}
_EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp"}
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KEY = re.compile(
    rf"{AREA}/(?P<environment>[a-z][a-z0-9-]{{0,29}})/(?P<owner>[A-Za-z0-9_-]{{1,128}}|~[0-9a-f]+)/"
    rf"{_UUID}\.(?:jpg|jpeg|png|gif|webp)"
)
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class AvatarKey:
    """A well-formed key."""

    key: str
    environment: str
    user_id: str

    def belongs_to(self, environment: str, user_id: str) -> bool:
        """Whether it lies in the user's own area."""
        return (self.environment, self.user_id) == (environment, user_id)


def parse_key(text: str) -> AvatarKey | None:
    """The key, None for everything else."""
    match = _KEY.fullmatch(text)
    if match is None:
        return None
    try:
        return AvatarKey(text, match["environment"], _user_id(match["owner"]))
    except ValueError:
        return None


def new_key(environment: str, user_id: str, content_type: str) -> str:
    """A key of the user's that nobody has used."""
    return f"{avatar_folder(environment, user_id)}{uuid4()}.{_EXTENSIONS[content_type]}"


def avatar_folder(environment: str, user_id: str) -> str:
    """What all keys of a user begin with."""
    return f"{AREA}/{environment}/{_owner(user_id)}/"


def type_of_name(filename: str) -> str | None:
    """The content type that a file name's extension stands for."""
    return TYPES.get(filename.rpartition(".")[2].lower())


def key_in_address(address: str) -> AvatarKey | None:
    """The key that an address of this server leads to, whatever host it names: some clients cut the
    port off."""
    _, mark, rest = urlsplit(address).path.partition(f"/{AREA}/")
    return parse_key(f"{AREA}/{rest}") if mark else None


def sniff(head: bytes) -> str | None:
    """The content type that the first bytes of a picture tell: one of the four, or None."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def _owner(user_id: str) -> str:
    """Imported ids may hold anything; a key only characters that need no escape."""
    return user_id if _PLAIN.fullmatch(user_id) else f"~{user_id.encode().hex()}"


def _user_id(owner: str) -> str:
    """The inverse; raises ValueError."""
    return bytes.fromhex(owner[1:]).decode() if owner.startswith("~") else owner
