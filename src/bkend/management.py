"""The management API and the pages of the console, as one FastAPI application."""

from __future__ import annotations

from fastapi import FastAPI

from bkend.console.routes import routes as console
from bkend.core import Core
from bkend.http.endpoints import new_endpoints
from bkend.http.manage.pages import routes as account_pages
from bkend.http.manage.router import routes as api
from bkend.http.metrics import Metrics
from bkend.logs import RecentLogs


def build_management(core: Core, metrics: Metrics, logs: RecentLogs) -> FastAPI:
    """The application of an opened core."""
    app = new_endpoints(core, api, console, account_pages)  # the console's own come first
    app.state.metrics = metrics
    app.state.logs = logs
    return app
