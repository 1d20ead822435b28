"""The routes of `/manage/v1` (51)."""
