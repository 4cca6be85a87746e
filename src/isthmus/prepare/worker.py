"""A worker process: takes tasks as lines of JSON on its standard input, answers with lines of JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import traceback
from typing import Any

from isthmus.core import errors, shell
from isthmus.core.errors import IsthmusError
from isthmus.kernels.batch import Fault, Wrong
from isthmus.prepare.compute import BadText, compute
from isthmus.prepare.parts import Receipt, Task


def answers(task: Task) -> Any:
    """What a worker says about one task, message by message; the last one is `done` or `error`."""
    try:
        for receipt in compute(task):
            yield {"receipt": receipt.as_json()}
        yield {"done": True}
    except BadText as error:
        yield {
            "error": "BadText",
            "file": error.file,
            "fault": dataclasses.astuple(error.fault),
            "offset": error.offset,
        }
    except IsthmusError as error:
        yield {"error": type(error).__name__, "message": str(error)}
    except Exception:  # noqa: BLE001 - told to the driver, who raises it as a Bug
        yield {"error": "Bug", "message": traceback.format_exc()}


def receipt_of(message: dict[str, Any]) -> Receipt | None:
    """The receipt in a worker's message, None for `done`. Raises what the worker met."""
    if "receipt" in message:
        return Receipt.from_json(message["receipt"])
    if "error" not in message:
        return None
    if message["error"] == "BadText":
        wrong, *rest = message["fault"]
        raise BadText(message["file"], Fault(Wrong(wrong), *rest), message["offset"])
    kind = getattr(errors, message["error"], errors.Bug)
    raise (kind if kind is not errors.BadRecord else errors.InvalidInput)(message["message"])


def main() -> None:
    parent = int(sys.argv[1])
    shell.die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if os.getppid() != parent:
        return
    for line in sys.stdin:
        for message in answers(Task(**json.loads(line))):
            out.write(json.dumps(message) + "\n")
            out.flush()


if __name__ == "__main__":
    main()
