"""The JavaScript client under Node's own test runner, against a real server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.auth.social.conftest import OidcProvider, oidc  # noqa: F401
from tests.conftest import StartServer
from tests.servers import clean_environment

HERE = Path(__file__).parent


@pytest.fixture
def node_environment(
    start_server: StartServer,
    oidc: OidcProvider,  # noqa: F811
) -> dict[str, str]:
    """What tells the Node tests where the server and the provider are."""
    server = start_server(tables=(HERE / "tables.yaml").read_text())
    return {
        "BKEND_TEST_URL": server.url,
        "BKEND_TEST_KEY": server.key,
        "BKEND_TEST_SECRET_KEY": server.secret,
        "BKEND_TEST_MANAGEMENT_TOKEN": server.made["managementToken"],
        "BKEND_TEST_PROVIDER": oidc.url,
    }


def test_the_client_passes_its_tests_in_node(node_environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["node", "--test", "--test-reporter=tap", str(HERE / "bkend.test.mjs")],
        env={**clean_environment(), **node_environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    assert "# pass 0" not in done.stdout


def test_the_served_module_knows_where_images_are(start_server: StartServer) -> None:
    server = start_server(tables=None, BKEND_IMG_URL="https://img.example.com")
    use = f"""
        const text = await (await fetch("{server.url}/bkend.js")).text();
        const code = Buffer.from(text).toString("base64");
        const {{ createClient }} = await import(`data:text/javascript;base64,${{code}}`);
        const other = createClient({{ key: "pk_x", baseUrl: "http://other.example" }});
        const clients = [createClient({{ key: "pk_x" }}), other];
        console.log(clients.map(({{ files }}) => files.imageUrl("a.png")).join(" "));
    """
    done = subprocess.run(
        ["node", "--input-type=module", "-e", use], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == [
        "https://img.example.com/a.png",
        "http://other.example/img/a.png",
    ]


def test_the_declarations_compile_and_name_what_the_module_exports() -> None:
    client = HERE.parents[1] / "src" / "bkend" / "client"
    module = (client / "bkend.js").read_text()
    declared = (client / "bkend.d.ts").read_text()
    exported = [
        line.split("(")[0].split("{")[0].split()[-1]
        for line in module.splitlines()
        if line.startswith(("export function", "export async function"))
    ]
    assert exported
    assert [name for name in exported if f"function {name}" not in declared] == []
    assert "class BkendError" in declared
    assert os.path.getsize(client / "bkend.js") < 48 * 1024
