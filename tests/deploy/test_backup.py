"""The backup of the guide to operation, made of a running server and put back."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import StartServer
from tests.servers import RunningServer, clean_environment

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "operate.md").read_text()


def test_a_backup_of_a_running_server_can_be_put_back(
    start_server: StartServer, tmp_path: Path
) -> None:
    [script] = re.findall(r"^```sh\n(umask 077\n.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    server, kept = start_server(), tmp_path / "backup"
    token = server.sign_up("ada@example.com")["accessToken"]
    with server.client(token=token) as client:
        made = client.post("/v1/data/posts", json={"title": "Hello"}).json()
    for shown, used in {
        "/var/lib/bkend": server.data,
        "/backup/today": kept,
        "/opt/bkend/bin/apsw": f"{sys.executable} -m apsw",
    }.items():
        assert shown in script
        script = script.replace(shown, str(used))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with server.client(token=token) as client:
        assert client.delete(f"/v1/data/posts/{made['id']}").status_code == 200
    server.stop()
    server.data.rename(tmp_path / "lost")
    kept.rename(server.data)
    checks = {check["name"]: check["result"] for check in doctor(server)}
    assert checks["database"] == checks["directory"] == "ok"
    server.start()
    with server.client(token=token) as client:  # also the tokens are good: the secret came along
        assert client.get(f"/v1/data/posts/{made['id']}").json() == made


def doctor(server: RunningServer) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(server.bkend("doctor", "--json").stdout)["checks"]
    return found
