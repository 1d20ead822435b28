"""What `/manage/v1` answers with, for its OpenAPI document: one module a resource (51 §3).

Nothing is validated against these when a request is answered; tests hold the answers against them.
Users, files and providers have theirs in `bkend.users.shapes`, `bkend.files.shapes` and
`auth_bodies`.
"""
