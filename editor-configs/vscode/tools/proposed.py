"""The extension's package with the proposed API `inlineCompletionsAdditions` declared: `proposed.py IN.vsix OUT.vsix`.

The marketplace refuses such a package. VS Code ignores the declaration, with a line in its log, unless the user has
switched it on for this extension.
"""

from __future__ import annotations

import json
import sys
import zipfile

PROPOSALS = ["inlineCompletionsAdditions"]


def main(source: str, target: str) -> None:
    with zipfile.ZipFile(source) as package, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as changed:
        for name in package.namelist():
            content = package.read(name)
            if name == "extension/package.json":
                manifest = json.loads(content) | {"enabledApiProposals": PROPOSALS}
                content = json.dumps(manifest, indent=2, ensure_ascii=False).encode()
            changed.writestr(name, content)


if __name__ == "__main__":
    main(*sys.argv[1:])
