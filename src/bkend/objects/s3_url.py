"""`BKEND_STORAGE_URL=s3://…`: which bucket objects are kept in, and how it is reached (00 §7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

Style: TypeAlias = Literal["path", "virtual"]

_SHAPE = "write s3://KEY:SECRET@HOST[:PORT]/BUCKET[/PREFIX]?region=…"
_ENCODE = "; percent-encode special characters of the key and the secret"
_OPTIONS = frozenset({"endpoint", "region", "tls", "style", "proxy", "public", "ca"})
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\]")
_AMAZON = re.compile(r"s3[.-](?:dualstack\.)?(?P<region>[a-z]{2}(?:-[a-z0-9]+)+)\.amazonaws\.com")
_DEFAULT_REGION = "us-east-1"
_SWITCH = {"on": True, "1": True, "off": False, "0": False}
_LONGEST_PREFIX = 256


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key. `token` comes with keys that expire."""

    key: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class S3Address:
    """A bucket, or the part of it below a prefix.

    `host` with its port if that is not the scheme's own; `prefix` ends in `/` or is empty;
    `proxied`: clients are to send and fetch bytes through the server; `public`: how clients reach
    `endpoint` where that is not as the server does; `ca`: a file of certificates to trust.
    """

    host: str
    bucket: str
    credentials: Credentials
    region: str = _DEFAULT_REGION
    prefix: str = ""
    tls: bool = True
    style: Style = "path"
    proxied: bool = False
    public: str | None = None
    ca: str | None = None

    @property
    def endpoint(self) -> str:
        """`https://HOST`, without the bucket."""
        return f"{'https' if self.tls else 'http'}://{self.host}"

    @property
    def object_endpoint(self) -> str:
        """Where requests for objects go: `endpoint`, with the bucket in it when the style says
        so."""
        return self._with_bucket(self.endpoint)

    @property
    def client_endpoint(self) -> str:
        """The same, as clients reach it."""
        return self._with_bucket(self.public or self.endpoint)

    def _with_bucket(self, endpoint: str) -> str:
        scheme, _, host = endpoint.partition("://")
        return endpoint if self.style == "path" else f"{scheme}://{self.bucket}.{host}"

    def path(self, key: str) -> str:
        """The percent-encoded path of an object's address, from the first `/` on."""
        encoded = quote(self.prefix + key, safe="/-_.~")
        return f"/{self.bucket}/{encoded}" if self.style == "path" else f"/{encoded}"


def parse_s3_url(url: str, environment: Mapping[str, str]) -> S3Address:
    """The bucket that a URL names. Two shapes are read:

    - `s3://[KEY:SECRET@]HOST[:PORT]/BUCKET[/PREFIX]?…`
    - `s3://[KEY:SECRET@]BUCKET[/PREFIX]?endpoint=https://HOST[:PORT]&…`, and without a prefix also
      without `endpoint`, which then is Amazon's.

    Options: `region`, `tls=on|off`, `style=path|virtual`, `proxy=1`, `public=https://…`, `ca=FILE`.
    A key and region that are not in the URL come from the environment's `AWS_…` variables.
    Raises ValueError with a sentence that does not repeat the secret.
    """
    parts = _split(url)
    options = _options(parts.query)
    region = options.get("region") or environment.get("AWS_REGION")
    region = region or environment.get("AWS_DEFAULT_REGION")
    if "endpoint" in options or not parts.path.strip("/"):
        bucket, prefix = parts.hostname or "", parts.path.strip("/")
        host, tls = _endpoint(options, region)
    else:
        host, tls = _host(parts), _switch("tls", options.get("tls", "on"))
        bucket, _, prefix = parts.path.strip("/").partition("/")
    amazon = _AMAZON.fullmatch(host)
    region = region or (amazon["region"] if amazon else _DEFAULT_REGION)
    if not _REGION.fullmatch(region):
        raise ValueError(f"{region!r} is no region")
    return S3Address(
        host=host,
        bucket=_bucket(bucket),
        credentials=_credentials(parts, environment),
        region=region,
        prefix=_prefix(prefix),
        tls=tls,
        style=_style(options, bucket, amazon is not None),
        proxied=_switch("proxy", options.get("proxy", "off")),
        public=_public(options.get("public")),
        ca=options.get("ca") or environment.get("AWS_CA_BUNDLE") or None,
    )


def mask_s3_url(url: str, mask: str) -> str:
    """The URL with its secret replaced, also when it is not well formed."""
    scheme, slashes, rest = url.partition("//")
    query = rest.find("?")
    account, at, place = rest[: query if query >= 0 else None].rpartition("@")
    if not at:
        return url
    key, colon, _ = account.partition(":")
    tail = rest[query:] if query >= 0 else ""
    return f"{scheme}{slashes}{key}{colon}{mask if colon else ''}@{place}{tail}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(_SHAPE + _ENCODE) from None
    spaced = any(c.isspace() or not c.isprintable() for c in url)
    if parts.scheme != "s3" or not parts.hostname or parts.fragment or port == 0 or spaced:
        raise ValueError(_SHAPE + _ENCODE)
    return parts


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS:
            known = ", ".join(sorted(_OPTIONS))
            raise ValueError(f"{name!r} is not an option; they are {known}")
        if name in options:
            raise ValueError(f"{name} is given twice")
        options[name] = value
    return options


def _credentials(parts: SplitResult, environment: Mapping[str, str]) -> Credentials:
    if parts.username is not None or parts.password is not None:
        if not parts.username or not parts.password:
            raise ValueError("give both the key and the secret, KEY:SECRET@, or neither")
        return Credentials(unquote(parts.username), unquote(parts.password))
    key, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        raise ValueError(
            "the access key is missing: write KEY:SECRET@ before the host, or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return Credentials(key, secret, environment.get("AWS_SESSION_TOKEN") or None)


def _host(parts: SplitResult) -> str:
    place = parts.netloc.rpartition("@")[2]
    name = place.removesuffix(f":{parts.port}") if parts.port else place.removesuffix(":")
    if not _HOST.fullmatch(name):
        raise ValueError(f"{name!r} is no host")
    return place.removesuffix(":")


def _endpoint(options: dict[str, str], region: str | None) -> tuple[str, bool]:
    """Host and TLS of the contract's shape, in which the bucket stands where hosts do."""
    if "endpoint" not in options:
        if not region:
            raise ValueError(f"name the bucket after the host, or the region: {_SHAPE}")
        return f"s3.{region}.amazonaws.com", True
    if "tls" in options:
        raise ValueError("leave out tls: the endpoint's http:// or https:// says it")
    try:
        found = urlsplit(options["endpoint"])
        good = found.scheme in ("http", "https") and found.hostname and found.port != 0
    except ValueError:
        good = False
    if not good or found.path.strip("/") or found.query or found.username is not None:
        raise ValueError("endpoint is a URL such as https://s3.eu-central-1.amazonaws.com")
    return _host(found), found.scheme == "https"


def _bucket(name: str) -> str:
    if not _BUCKET.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a bucket")
    return name


def _prefix(path: str) -> str:
    path = unquote(path)
    if not path:
        return ""
    bad = any(segment in ("", ".", "..") for segment in path.split("/"))
    if bad or len(path.encode()) > _LONGEST_PREFIX or not path.isprintable():
        raise ValueError("the prefix is a path of at most 256 bytes, without empty segments")
    return path + "/"


def _style(options: dict[str, str], bucket: str, amazon: bool) -> Style:
    """Amazon wants the bucket in the host's name, unless dots in it break the certificate."""
    match options.get("style"):
        case None:
            return "virtual" if amazon and "." not in bucket else "path"
        case "path":
            return "path"
        case "virtual":
            return "virtual"
        case other:
            raise ValueError(f"style {other!r}: write path or virtual")


def _switch(name: str, value: str) -> bool:
    if value not in _SWITCH:
        raise ValueError(f"{name} is on or off")
    return _SWITCH[value]


def _public(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        found = urlsplit(value)
        good = found.scheme in ("http", "https") and found.hostname and found.port != 0
    except ValueError:
        good = False
    if not good or found.path.strip("/") or found.query or found.username is not None:
        raise ValueError("public is a URL such as https://s3.example.com, without a path")
    return f"{found.scheme}://{_host(found)}"
