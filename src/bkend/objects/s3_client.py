"""Calls to S3: a botocore client in a bounded pool of threads, its errors turned into ours."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from bkend.objects.interface import (
    InvalidKey,
    ObjectsMisconfigured,
    ObjectsUnavailable,
    ObjectTooLarge,
    UnknownUpload,
)
from bkend.objects.s3_url import S3Address

_THREADS = 16
_CONNECTIONS = 64
_ATTEMPTS = 4
_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_QUEUE_SECONDS = 20
_ABSENT = frozenset({"NoSuchKey", "404", "NotFound"})
_CHANGED = frozenset({"PreconditionFailed", "412"})
_NO_UPLOAD = frozenset({"NoSuchUpload", "InvalidPart", "InvalidPartOrder", "EntityTooSmall"})
P = ParamSpec("P")
T = TypeVar("T")


class AbsentObject(Exception):
    """S3 has no object under this key, or not the version that was asked for."""


class S3Client:
    """One bucket's client. It is made when it is first needed: its library is slow to import."""

    def __init__(self, address: S3Address) -> None:
        self._address = address
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3")
        self._slots = asyncio.Semaphore(_THREADS)
        self._making = Lock()
        self._client: Any = None

    @property
    def verify(self) -> ssl.SSLContext | bool:
        """Which certificates are trusted, for other clients of the same server."""
        ca = self._address.ca
        if not self._address.tls:
            return False
        return ssl.create_default_context(cafile=ca) if ca else True

    async def call(self, operation: str, **parameters: Any) -> Any:
        """The answer of an operation on the bucket, such as `head_object`; 5xx and broken
        connections are tried again.

        Raises AbsentObject, InvalidKey, ObjectTooLarge, UnknownUpload, ObjectsMisconfigured and
        ObjectsUnavailable.
        """
        return await self.work(self._call, operation, parameters)

    async def work(self, function: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        """Run in a thread of the pool; errors as in `call`."""
        try:
            async with asyncio.timeout(_QUEUE_SECONDS):
                await self._slots.acquire()
        except TimeoutError:
            raise ObjectsUnavailable("S3 answers too slowly: all transfers are taken") from None
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._pool, lambda: self._guard(function, *given, **named))
        running.add_done_callback(lambda _: self._slots.release())
        return await running

    def close(self) -> None:
        """Let threads and connections go."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client.close()

    def _call(self, operation: str, parameters: dict[str, Any]) -> Any:
        with self._making:
            if self._client is None:
                self._client = new_client(self._address)
        return getattr(self._client, operation)(Bucket=self._address.bucket, **parameters)

    def _guard(self, function: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectionError,  # not the built-in one
            HTTPClientError,
        )
        from urllib3.exceptions import HTTPError

        try:
            return function(*given, **named)
        except ClientError as error:
            raise _translated(error, self._address) from error
        except (ConnectionError, HTTPClientError) as error:
            raise ObjectsUnavailable(_reason(error, self._address)) from error
        except (BotoCoreError, HTTPError, OSError) as error:
            raise ObjectsUnavailable(f"S3: {error}") from error


def new_client(address: S3Address) -> Any:
    """A botocore client for the address. What `~/.aws` says is not looked at: the setting is."""
    import botocore.session
    from botocore.config import Config

    nowhere = (None, None, os.devnull, None)
    ours = {"config_file": nowhere, "credentials_file": nowhere, "profile": (None,) * 4}
    session = botocore.session.Session(session_vars=ours)
    credentials = address.credentials
    return session.create_client(
        "s3",
        region_name=address.region,
        endpoint_url=address.endpoint,
        verify=address.ca or True,
        aws_access_key_id=credentials.key,
        aws_secret_access_key=credentials.secret,
        aws_session_token=credentials.token,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": address.style},
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            max_pool_connections=_CONNECTIONS,
            # Checksums in trailers are unknown to many servers that speak S3.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def _translated(error: Any, address: S3Address) -> Exception:
    """What an answer of S3 means to us."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _ABSENT or code in _CHANGED:
        return AbsentObject(code)
    if code in _NO_UPLOAD:
        return UnknownUpload(f"S3 does not know this upload or one of its parts: {code}")
    if code == "KeyTooLongError":
        return InvalidKey("the key is too long for S3")
    if code == "EntityTooLarge":
        return ObjectTooLarge("more than S3 takes at once")
    return refusal(code, address) or _unavailable(code, status, error)


def refusal(code: str, address: S3Address) -> ObjectsMisconfigured | None:
    """The sentence for the operator of what only a change of configuration helps against."""
    match code:
        case "NoSuchBucket":
            sentence = f"there is no bucket {address.bucket!r} at {address.host}"
        case "InvalidAccessKeyId":
            sentence = f"{address.host} does not know the access key {address.credentials.key!r}"
        case "SignatureDoesNotMatch":
            sentence = (
                f"{address.host} does not accept the secret of {address.credentials.key!r}; in the "
                "URL its special characters are percent-encoded: / is %2F, + is %2B"
            )
        case "RequestTimeTooSkewed":
            sentence = f"this machine's clock and that of {address.host} differ by over 15 minutes"
        case "AccessDenied" | "403" | "AllAccessDisabled":
            sentence = (
                f"{address.credentials.key!r} may not use the bucket {address.bucket!r}; it needs "
                "to list it, and to get, put and delete objects"
            )
        case "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraint":
            sentence = f"the bucket {address.bucket!r} is not in region {address.region}"
        case "ExpiredToken" | "InvalidToken":
            sentence = "AWS_SESSION_TOKEN has expired or is not of this access key"
        case _:
            return None
    return ObjectsMisconfigured(f"S3: {sentence}")


def _unavailable(code: str, status: int, error: Any) -> ObjectsUnavailable:
    message = str(error.response.get("Error", {}).get("Message", ""))[:200]
    return ObjectsUnavailable(f"S3 answered {status} {code}: {message}")


def _reason(error: Exception, address: S3Address) -> str:
    """Why there was no answer, without the address of the request, which may be signed."""
    kind = type(error).__name__.removesuffix("Error")
    return f"S3: no connection to {address.endpoint}: {kind}"
