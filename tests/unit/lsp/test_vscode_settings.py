"""The VS Code extension's settings are the language server's."""

from __future__ import annotations

import json
import subprocess
import sys

from tabspec_lsp.options import Options

from tests.tools import REPOSITORY

EXTENSION = REPOSITORY / "editor-configs" / "vscode"


def test_generated_settings_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(EXTENSION / "tools" / "settings.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_server_takes_every_setting_by_the_name_the_extension_sends() -> None:
    names = json.loads((EXTENSION / "src" / "engine-settings.json").read_text("utf-8"))
    package = json.loads((EXTENSION / "package.json").read_text("utf-8"))
    declared = {k: v for part in package["contributes"]["configuration"] for k, v in part["properties"].items()}
    values = {name: declared[f"tabspec.{name}"]["default"] for name in names} | {"statusNotifications": True}
    options, problems = Options().updated(values)
    assert problems == []
    assert options.server.status_notifications


def test_an_untrusted_workspace_names_no_program_and_no_model() -> None:
    package = json.loads((EXTENSION / "package.json").read_text("utf-8"))
    declared = {name for part in package["contributes"]["configuration"] for name in part["properties"]}
    trust = package["capabilities"]["untrustedWorkspaces"]
    models = {"tabspec.model", "tabspec.editModel", "tabspec.editFormat"}
    wanted = {name for name in declared if name.startswith("tabspec.server.")} | models
    scopes = {k: v["scope"] for part in package["contributes"]["configuration"] for k, v in part["properties"].items()}
    assert trust["supported"] == "limited"
    assert wanted == set(trust["restrictedConfigurations"]) | {name for name in wanted if scopes[name] == "machine"}
