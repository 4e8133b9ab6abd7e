"""The npm package as a stranger gets it: what it should hold, and types that fit what its README shows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.repository.files import ROOT, blocks

pytestmark = pytest.mark.browser
OFFLINE = {**os.environ, "npm_config_offline": "true", "npm_config_update_notifier": "false"}
STRICT = {
    "strict": True,
    "target": "ES2022",
    "module": "NodeNext",
    "lib": ["ES2023", "DOM", "DOM.Iterable"],
    "types": [],
    "noEmit": True,
}


def call(*command: str, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, env=OFFLINE, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, installed into a project that has nothing else. It is packed where no types were made yet."""
    home = tmp_path_factory.mktemp("project")
    shutil.rmtree(ROOT / "browser/dist/types", ignore_errors=True)
    tarball = call("npm", "pack", "--silent", "--pack-destination", str(home), cwd=ROOT).split()[-1]
    (home / "package.json").write_text(json.dumps({"name": "shop", "private": True, "type": "module"}))
    call("npm", "install", "--silent", tarball, cwd=home)
    return home / "node_modules" / "weft-browser"


def test_it_holds_what_it_exports_and_its_readme(package: Path) -> None:
    exports = json.loads((package / "package.json").read_text("utf-8"))["exports"]
    named = [*exports["."].values(), exports["./worker"], "browser/README.md", "LICENSE"]
    assert [name for name in named if not (package / name).is_file()] == []
    assert sorted(path.name for path in package.parent.iterdir() if not path.name.startswith(".")) == ["weft-browser"]


def test_what_its_readme_shows_has_types(package: Path) -> None:
    home = package.parents[1]
    shown = [text for _, language, _, text in blocks(package / "browser/README.md") if language == "js"]
    assert shown
    for number, text in enumerate(shown):
        (home / f"shown_{number}.ts").write_text(text, "utf-8")
    (home / "tsconfig.json").write_text(json.dumps({"compilerOptions": STRICT, "include": ["*.ts"]}))
    call("node", str(ROOT / "node_modules/typescript/bin/tsc"), "-p", ".", cwd=home)
