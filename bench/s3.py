"""How many addresses of S3 objects are signed a second, by us and by the S3 library."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from rich.console import Console

from bkend.clock import SystemClock
from bkend.objects.s3_client import new_client
from bkend.objects.s3_url import parse_s3_url
from bkend.objects.signing import QuerySigner

TARGET = 3000
"""Addresses a second."""
_URL = "s3://KEY:SECRET@s3.eu-central-1.amazonaws.com/bucket"
_ROUNDS = 5
_LENGTH = {"content-length": "12345"}


def measure(console: Console, count: int) -> bool:
    """Print the figures, best of five rounds; whether ours reach the target. Nothing is sent."""
    address = parse_s3_url(_URL, {})
    signer = QuerySigner(address.credentials, address.region, SystemClock())
    client = new_client(address)

    def ours(number: int) -> None:
        path = address.path(f"project/dev/files/2026/11/{number}.png")
        signer.sign("PUT", address.client_endpoint, path, seconds=900, headers=_LENGTH)

    def theirs(number: int) -> None:
        wanted = {"Bucket": "bucket", "Key": f"{number}.png", "ContentLength": 12_345}
        client.generate_presigned_url("put_object", wanted, 900)

    reached = _best(ours, count)
    console.print(f"bkend     {reached:>8,.0f} addresses a second (target {TARGET:,})")
    console.print(f"botocore  {_best(theirs, count // 10):>8,.0f}")
    return reached >= TARGET


def _best(sign: Callable[[int], None], count: int) -> float:
    best = 0.0
    for _ in range(_ROUNDS):
        begun = perf_counter()
        for number in range(count):
            sign(number)
        best = max(best, count / (perf_counter() - begun))
    return best
