"""Images that can be sent without waiting for anything: the lane of most requests (30 §8)."""

from __future__ import annotations

from functools import lru_cache

from bkend.core import Core
from bkend.errors import ApiError
from bkend.files.serving import PUBLIC, asks_for_the_whole, whole_headers
from bkend.http.application import IMAGES
from bkend.http.exchange import Exchange
from bkend.http.gate import is_active
from bkend.http.transports import Headers
from bkend.images.formats import TYPES, is_svg, stays, takes_webp
from bkend.images.instructions import Instructions, parse_image_path
from bkend.images.service import Wish
from bkend.objects.interface import ObjectInfo
from bkend.users.raw import has_settled

PREFIX = "/img/"
ROUTE = IMAGES
_LONGEST = 512
_REMEMBERED = 2048

_parsed = lru_cache(maxsize=_REMEMBERED)(parse_image_path)


@lru_cache(maxsize=_REMEMBERED)
def _tag(path: str, etag: str, automatic: bool) -> str:
    asked, key = _parsed(path)
    return Wish(ObjectInfo(key, 0, 0, etag), asked, automatic).tag


def kept_image(core: Core, exchange: Exchange) -> tuple[Headers, bytes] | None:
    """Headers and bytes of an image in memory, of a file that is public right now; None leaves the
    answer, whatever it is, to the other lane."""
    path = exchange.path.removeprefix(PREFIX)
    if len(path) > _LONGEST or not asks_for_the_whole(exchange):
        return None
    try:
        asked, key = _parsed(path)
    except ApiError:
        return None
    id = core.places.at_once(key)
    environment = core.environments.cached(id) if id else None
    if environment is None or not is_active(environment):
        return None
    document = environment.services.files.known.at_once(key)
    if document is None or document["visibility"] != "public":
        return None
    content_type, etag = document["mimeType"], document.get("objectTag")
    if not etag or is_svg(content_type):
        return None
    automatic, headers = negotiated(exchange, asked, content_type)
    tag = _tag(path, etag, automatic)
    image = core.images.recent.get(tag)
    if image is None or image.content is None:
        return None
    seen = core.objects.seen(key)
    if not has_settled(core, image.info) and (seen is None or seen[0].etag != etag):
        return None  # an address to put other bytes there may still be good
    described = [("content-type", TYPES[image.format]), *headers]
    return whole_headers(exchange, image.info, tag, described), image.content


def negotiated(exchange: Exchange, asked: Instructions, content_type: str) -> tuple[bool, Headers]:
    """Whether JPEG and PNG become WebP, and the headers that tell how to keep the answer."""
    varies = asked.format is None and not stays(content_type)
    automatic = varies and takes_webp(exchange.headers.get_all("accept"))
    return automatic, [("cache-control", PUBLIC), *([("vary", "Accept")] if varies else [])]
