"""The body of a list (20 §4.4)."""

from __future__ import annotations

from bkend.query.planner import ListPlan


def list_body(items: bytes, total: int, plan: ListPlan) -> bytes:
    """A page of records, given as a JSON array, with its pagination."""
    has_next = b"true" if plan.offset + plan.limit < total else b"false"
    has_prev = b"true" if plan.offset > 0 else b"false"
    return (
        b'{"items":%b,"pagination":{"total":%d,"page":%d,"limit":%d,"totalPages":%d,'
        b'"hasNext":%b,"hasPrev":%b,"hasNextPage":%b,"hasPrevPage":%b}}'
    ) % (
        items,
        total,
        plan.page,
        plan.limit,
        -(-total // plan.limit),
        has_next,
        has_prev,
        has_next,
        has_prev,
    )
