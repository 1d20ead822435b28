"""The files of `deploy/`: the guide shows them as they are, and they are what they claim."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bkend.settings import PREFIX, Settings
from tests.deploy.proxies import DEPLOY
from tests.servers import clean_environment, command

DOCS = DEPLOY.parent / "docs"
GUIDE = (DOCS / "guides" / "self-hosting.md").read_text()
BLOCKS = [text for _, text in re.findall(r"^```(\S*)\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)]
FILES = sorted(path.name for path in DEPLOY.iterdir())
SHELL = [
    pytest.param(text, id=f"{page}-{number}")
    for page in ("self-hosting", "operate", "postgresql", "s3")
    for number, text in enumerate(
        re.findall(
            r"^```sh(?: run)?\n(.*?)^```",
            (DOCS / "guides" / f"{page}.md").read_text(),
            re.MULTILINE | re.DOTALL,
        )
    )
]


@pytest.mark.parametrize("name", FILES)
def test_the_guide_shows_the_file_as_it_is(name: str) -> None:
    assert (DEPLOY / name).read_text() in BLOCKS


def test_the_guide_names_no_file_that_is_not_there() -> None:
    named = set(re.findall(r"\bdeploy/([\w.]+)", GUIDE))
    assert named <= set(FILES)
    assert set(re.findall(r"^\| `([\w.]+)`", GUIDE, re.MULTILINE)) >= {"bkend.service", "bkend.env"}


@pytest.mark.parametrize("text", SHELL)
def test_what_is_to_be_pasted_into_a_shell_is_its_language(text: str) -> None:
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_setting_of_the_example_exists_and_is_well_formed(tmp_path: Path) -> None:
    given = (DEPLOY / "bkend.env").read_text()
    names = re.findall(r"^#?(BKEND_\w+)=", given, re.MULTILINE)
    assert {name.removeprefix(PREFIX).lower() for name in names} <= Settings.model_fields.keys()
    everything = re.sub(r"^#(?=BKEND_)", "", given, flags=re.MULTILINE)
    (tmp_path / "bkend.env").write_text(everything)
    told = subprocess.run(
        ["sh", "-c", "set -a; . ./bkend.env; env -0"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    pairs = (line.partition("=") for line in told.stdout.split("\0"))
    settings = {name: value for name, _, value in pairs if name.startswith(PREFIX)}
    assert settings.keys() == set(names)
    shown = command("config", "--json", cwd=tmp_path, environment=settings).stdout
    assert "https://api.example.com" in shown
    assert json.loads(shown)


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("runuser") is None, reason="needs root and runuser"
)
def test_the_command_runs_with_the_settings_of_the_server(tmp_path: Path) -> None:
    (tmp_path / "bkend.env").write_text(f"BKEND_DATA='{tmp_path}/with a space'\nBKEND_LOG=json\n")
    script = (DEPLOY / "bkend.sh").read_text()
    for shown, used in {
        "/etc/bkend/bkend.env": str(tmp_path / "bkend.env"),
        "-u bkend": "-u root",
        "/opt/bkend/bin/bkend": f"{sys.executable} -m bkend",
    }.items():
        assert shown in script
        script = script.replace(shown, used)
    (tmp_path / "bkend").write_text(script)
    done = subprocess.run(
        ["sh", str(tmp_path / "bkend"), "init", "--org", "Two words", "--json"],
        env=clean_environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["dataDir"].endswith("with a space")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit, with a program that is there."""
    text = (DEPLOY / "bkend.service").read_text()
    assert "ExecStart=/opt/bkend/bin/bkend serve" in text
    path = tmp_path / "bkend.service"
    path.write_text(text.replace("/opt/bkend/bin/bkend serve", f"{sys.executable} -m bkend serve"))
    return path


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`systemd-analyze`, which needs no running systemd for this."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_unit_is_well_formed(unit: Path) -> None:
    done = analyze("verify", "--man=no", str(unit))
    said = [line for line in done.stderr.splitlines() if "bkend.service" in line]
    assert (done.returncode, said) == (0, [])


def test_the_unit_locks_the_process_in(unit: Path) -> None:
    done = analyze("security", "--offline=yes", "--no-pager", "--threshold=25", str(unit))
    assert done.returncode == 0, done.stdout + done.stderr
