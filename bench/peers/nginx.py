"""nginx as Debian packages it, serving a folder of files."""

import shutil
import subprocess
from pathlib import Path

from bench.process import Server, free_port

NAME = "nginx"
MISSING = "nginx is missing (apt-get install nginx): there is nothing to hold the figures against"
_CONFIGURATION = """\
daemon off;
worker_processes 1;
error_log {root}/error.log;
pid {root}/nginx.pid;
events {{ worker_connections 512; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000;
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {root}/files;
        location = /healthz {{ return 200 "ok"; }}
    }}
}}
"""


def program() -> str | None:
    """Where nginx is, or None."""
    return shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


def version() -> str:
    """The version that it reports, or empty."""
    found = program()
    if found is None:
        return ""
    shown = subprocess.run([found, "-v"], capture_output=True, text=True, check=False).stderr
    return shown.strip().rpartition("/")[2]


def start(root: Path) -> Server:
    """Serve `root/files` with one worker process."""
    found, port = program(), free_port()
    assert found is not None
    (root / "nginx.conf").write_text(_CONFIGURATION.format(root=root, port=port))
    command = [found, "-p", str(root), "-c", str(root / "nginx.conf")]
    return Server(NAME, command, port=port, health="/healthz", directory=root)
