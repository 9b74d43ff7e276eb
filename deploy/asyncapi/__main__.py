"""`make asyncapi`: write the document where it is read, and where the emitter serves it from."""

import json
from pathlib import Path

import ws_service
from deploy.asyncapi.document import document

ROOT = Path(ws_service.__file__).parents[1]
FILES = (ROOT / "docs" / "asyncapi.json", ROOT / "ws_service" / "reference" / "asyncapi.json")


def text() -> str:
    """Return what the files hold."""
    return json.dumps(document(), indent=2) + "\n"


if __name__ == "__main__":
    for file in FILES:
        file.write_text(text())
