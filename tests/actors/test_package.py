"""The package and its pages: light to import, every name is there and documented, and what the pages show runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args, get_type_hints

import attrs
import pytest
from attrs import frozen

import wsmgr.actors
from wsmgr.actors import (
    ChildCounts,
    ChildInfo,
    Event,
    MailboxPolicy,
    Statistics,
    Status,
    TaskSupervisor,
    TraceEvent,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE: Final = Path(wsmgr.actors.__file__).parent
DOCS: Final = Path(__file__).parents[2] / "docs"
REFERENCE: Final = DOCS / "reference" / "actors.md"
EXPLANATION: Final = DOCS / "explanation" / "supervision.md"
TUTORIAL: Final = DOCS / "tutorial" / "supervised-workers.md"
BLOCK: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN: Final = "anyio.run(main)"
BACKENDS: Final = ("asyncio", "trio")


@frozen
class Program:
    """A program of the tutorial, and what the page says that it prints."""

    file: str
    text: str
    prints: str


def programs_of(page: Path) -> dict[str, Program]:
    """Read the Python blocks of a page, by the file's name in their first line, each with the output that follows."""
    found: dict[str, Program] = {}
    blocks = [(match[1], match[2]) for match in BLOCK.finditer(page.read_text(encoding="utf-8"))]
    for (language, text), (next_language, shown) in zip(blocks, [*blocks[1:], ("python", "")], strict=True):
        if language == "python":
            file = text.split("\n", 1)[0].removeprefix("# ")
            found[file] = Program(file, text, "" if next_language else shown)
    return found


PROGRAMS: Final = programs_of(TUTORIAL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a reader has who copied every program of the tutorial into an empty folder."""
    for program in PROGRAMS.values():
        (tmp_path / program.file).write_text(program.text, encoding="utf-8")
    return tmp_path


def on_backend(text: str, backend: str) -> str:
    """Change the one place in a program that says on which loop it runs."""
    assert text.count(RUN) == 1
    return text.replace(RUN, f"anyio.run(main, backend={backend!r})")


def output_of(command: Sequence[str], folder: Path) -> str:
    """What a program prints on stdout; it must end with 0."""
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_every_exported_name_exists() -> None:
    """`__all__` is sorted and true."""
    assert sorted(wsmgr.actors.__all__) == wsmgr.actors.__all__
    assert all(hasattr(wsmgr.actors, name) for name in wsmgr.actors.__all__)


def test_import_brings_neither_backend_nor_test_tools() -> None:
    """A command line that supervises nothing yet must start fast."""
    code = "import sys, wsmgr.actors; print([m for m in ('trio', 'uvloop', 'structlog', 'wsmgr.actors.testing') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


# -- reference and explanation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_first_example_of_the_reference_runs(backend: str, tmp_path: Path) -> None:
    """What the documentation shows first is what works."""
    example = next(match[2] for match in BLOCK.finditer(REFERENCE.read_text(encoding="utf-8")))
    assert output_of([sys.executable, "-c", on_backend(example, backend)], tmp_path) == "5\n"


def test_start_function_of_the_reference_hands_out_the_supervisor_that_it_made_last() -> None:
    """How a nested supervisor is reached: a new one at each start, where everybody looks for it."""
    blocks = [match[2] for match in BLOCK.finditer(REFERENCE.read_text(encoding="utf-8"))]
    (example,) = [block for block in blocks if "class Services" in block]
    found: dict[str, Any] = dict(vars(wsmgr.actors))
    exec(example, found)
    (spec,) = found["root"].which_children()
    services = found["services"]
    first, second = services.start_tasks(), services.start_tasks()
    assert ("tasks", "supervisor") == (spec.id, spec.type)
    assert isinstance(second, TaskSupervisor)
    assert first is not second
    assert services.tasks is second


def test_reference_names_everything_that_is_exported() -> None:
    """Whoever exports a name documents it."""
    assert set() == set(wsmgr.actors.__all__) - words_of_code(prose_of(REFERENCE))


def test_reference_names_every_field_of_what_can_be_looked_at() -> None:
    """Events, children, and what introspection returns, as people find them in a log or a tree."""
    events = get_args(Event)
    kinds = (Status, Statistics, TraceEvent, ChildInfo, ChildCounts, *events)
    fields = {field.name for kind in kinds for field in attrs.fields(kind)}
    names = {kind.__name__ for kind in events}
    assert {"monitored_by", "masked"} <= fields
    assert set() == (fields | names) - words_of_code(prose_of(REFERENCE))


def test_reference_names_every_overflow_policy() -> None:
    """Whoever adds one documents it."""
    overflow = get_type_hints(MailboxPolicy)["overflow"]
    policies = {"conflate", *get_args(get_args(overflow)[0])}
    assert {"conflate", "drop_newest", "drop_oldest", "reject"} == policies
    assert set() == policies - words_of_code(prose_of(REFERENCE))


def test_table_for_otp_engineers_names_only_what_exists() -> None:
    """Each word of code in the column "here" is a word of the package's source."""
    known = {
        word for path in SOURCE.rglob("*.py") for word in re.findall(r"\w+", path.read_text(encoding="utf-8"))
    }
    rows = re.findall(r"^\|[^|]*\| ([^|]*) \|$", EXPLANATION.read_text(encoding="utf-8"), re.MULTILINE)
    words = words_of_code("\n".join(rows))
    assert len(words) > 60
    assert set() == words - known


def prose_of(page: Path) -> str:
    """Return a page without its blocks of code."""
    return BLOCK.sub("", page.read_text(encoding="utf-8"))


def words_of_code(text: str) -> set[str]:
    """Return the words that stand between backticks on one line."""
    return {word for code in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"\w+", code)}


# -- tutorial ------------------------------------------------------------------------------------------------------------


def test_tutorial_has_these_programs() -> None:
    """Those that are run below, and no other."""
    assert ["worker.py", "crash.py", "pool.py", "tasks.py", "look.py", "serve.py", "test_pool.py"] == list(
        PROGRAMS
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("file", ["worker.py", "crash.py", "pool.py", "tasks.py", "look.py"])
def test_program_of_the_tutorial_prints_what_the_page_shows(file: str, backend: str, folder: Path) -> None:
    """In a folder with nothing else, on both loops."""
    program = PROGRAMS[file]
    (folder / file).write_text(on_backend(program.text, backend), encoding="utf-8")
    assert program.prints == output_of([sys.executable, file], folder)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signal to one process")
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_service_of_the_tutorial_ends_at_ctrl_c_as_the_page_shows(
    number: signal.Signals, backend: str, folder: Path
) -> None:
    """The children in reverse order, then the supervisors, and no traceback."""
    program = PROGRAMS["serve.py"]
    (folder / program.file).write_text(on_backend(program.text, backend), encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, program.file], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        running.send_signal(number)
        rest, errors = running.communicate(timeout=60)
    assert program.prints == first + rest
    assert errors == ""
    assert running.returncode == 0


def test_tests_of_the_tutorial_pass(folder: Path) -> None:
    """Four of them: each on asyncio and on trio."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_pool.py"]
    ran = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert re.search(r"^4 passed in ", ran.stdout, re.MULTILINE), ran.stdout + ran.stderr
