"""One of several writers that commit at once: `python -m tests.model_sync.racing_writer`.

Says "ready", waits for its input to end, commits so many generations, each with one version of
its own, and prints which number each version got.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from model_store.layout import StoreLayout
from model_store.reading import read_upward
from model_sync.refs.commit import settle, try_commit
from model_sync.store_io.staging import Staging
from tests.support.generations import following


def main(root: str, count: int) -> None:
    """Commit until `count` generations are this writer's."""
    layout = StoreLayout(Path(root))
    model = layout.model("adder")
    got: dict[int, str] = {}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    with Staging(layout) as staging:
        while len(got) < count:
            refs = following(read_upward(model))
            if try_commit(model, staging, refs):
                got[max(refs.versions)] = refs.writer
                settle(model, staging)
    sys.stdout.write(json.dumps(got))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
