"""Plans: what their id depends on."""

from __future__ import annotations

import json
import subprocess
import sys

from isthmus.core.plan import FileInput, Plan
from isthmus.core.ref import Name, Ref

FILE = FileInput(source="a.fastq", path="/x/a.fastq", size=3, xxh3_128="ab", sample="a")


def plan(**changes: object) -> Plan:
    facts: dict[str, object] = {
        "recipe": "embed",
        "recipe_version": 1,
        "target": Name("gut", "reads"),
        "inputs": (FILE,),
    }
    return Plan(**{**facts, "params": {"with": "kernel:4", "n": 1}, **changes})  # type: ignore[arg-type]


def test_the_id_depends_on_all_that_the_result_depends_on() -> None:
    """Recipe, its version, target, parameters, content and sample each change the id."""
    other = FileInput(source="a.fastq", path="/x/a.fastq", size=3, xxh3_128="cd", sample="a")
    changed = [
        plan(recipe="other"),
        plan(recipe_version=2),
        plan(target=Name("gut", "reads2")),
        plan(params={"with": "kmer:4", "n": 1}),
        plan(inputs=(other,)),
        plan(inputs=(Ref("gut", "reads", 1),)),
    ]

    assert len({one.id for one in [*changed, plan()]}) == 7


def test_the_id_does_not_depend_on_where_a_file_lies_or_key_order() -> None:
    """The same bytes read from another folder are the same work."""
    moved = FileInput(source="a.fastq", path="/elsewhere/a.fastq", size=3, xxh3_128="ab", sample="a")

    assert plan(inputs=(moved,)).id == plan().id
    assert plan(params={"n": 1, "with": "kernel:4"}).id == plan().id


def test_the_id_is_the_same_in_another_process() -> None:
    """String hashing is salted per process; the id must not be."""
    code = (
        "from isthmus.core.plan import *; from isthmus.core.ref import *; import json;"
        "print(json.dumps(Plan('embed',1,Name('gut','reads'),(FileInput('a.fastq','/x','3','ab','a'),),{'with':'kernel:4','n':1}).id))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == plan().id
