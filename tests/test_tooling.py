"""The repository's own promises: locked versions, links, import contracts, and nothing of one machine in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = {
    match["name"]: match[0]
    for match in re.finditer(r"^(?P<name>[a-z0-9.-]+)==.*(?:\n[ ].*)*", LOCK, re.MULTILINE)
}


def declared() -> list[Requirement]:
    """What pyproject.toml asks for: at run time, in every extra, and to build."""
    project = PROJECT["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    groups.append(PROJECT["build-system"]["requires"])
    requirements = [Requirement(text) for group in groups for text in group]
    return [requirement for requirement in requirements if requirement.name != project["name"]]


def output_of(*command: str) -> str:
    """What a command prints that must succeed."""
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=30).stdout


def own_files() -> list[Path]:
    """Every file that is in git or would be at the next commit."""
    # A checkout that belongs to another user is read all the same.
    listed = output_of("git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard")
    files = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in files if path.is_file() and not path.is_symlink()]


def traces_of_this_machine() -> set[str]:
    """Hosts and folders that pip, uv or this checkout's place would leave in a file."""
    settings = output_of(sys.executable, "-m", "pip", "config", "list")
    settings += "".join(
        f"{name}={value}\n" for name, value in os.environ.items() if name[:3] in {"PIP", "UV_"}
    )
    addresses = [urlsplit(text) for text in re.findall(r"[a-z]+://[^\s'\"\\,]+", settings)]
    traces = {address.hostname or address.path for address in addresses}
    traces |= set(re.findall(r"find[-_]links='?(/[^\s'\\,]+)", settings, re.IGNORECASE))
    traces |= {f"{place}/" for place in (ROOT, Path.home()) if len(place.parts) > 2}
    return traces


def files_that_contain(traces: set[str], files: list[Path]) -> dict[str, set[str]]:
    """The files in which one of the traces stands, with those that do."""
    found = {str(path): {trace for trace in traces if trace.encode() in path.read_bytes()} for path in files}
    return {name: seen for name, seen in found.items() if seen}


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_lock_satisfies_what_the_project_declares(requirement: Requirement) -> None:
    """A dependency that is changed in pyproject.toml and not locked again is found without the network."""
    pin = Requirement(LOCKED[canonicalize_name(requirement.name)].split("\n")[0].rstrip(" \\"))
    (version,) = (Version(specifier.version) for specifier in pin.specifier)
    assert requirement.specifier.contains(version)


def test_lock_holds_as_direct_dependency_only_what_is_declared() -> None:
    """A dependency that was dropped from pyproject.toml leaves the lock too."""
    direct = {name for name, entry in LOCKED.items() if "wsmgr (pyproject.toml)" in entry}
    assert {canonicalize_name(requirement.name) for requirement in declared()} == direct


def test_every_locked_version_has_hashes() -> None:
    """`--require-hashes` has something to require."""
    assert LOCKED
    assert [] == [name for name, entry in LOCKED.items() if "--hash=sha256:" not in entry]


def test_lock_names_no_address() -> None:
    """Where packages come from is the business of the machine that installs them."""
    assert [] == re.findall(r"^.*(?:://|--index|--find-links| @ ).*$", LOCK, re.MULTILINE)


@pytest.mark.parametrize("name", ["actors", "manager", "cli"])
def test_link_opens_the_package(name: str) -> None:
    """The tree opens as actors/ manager/ cli/, wherever the clone lies."""
    assert f"src/wsmgr/{name}" == str((ROOT / name).readlink())
    assert (ROOT / name).is_dir()


def test_no_file_tells_of_the_machine_it_was_made_on() -> None:
    """Index hosts and folders of one machine mean nothing on the next, and may be secret."""
    assert {} == files_that_contain(traces_of_this_machine(), own_files())


def test_search_for_traces_finds_a_planted_one(tmp_path: Path) -> None:
    """The test above can fail."""
    planted = tmp_path / "settings.toml"
    planted.write_text("index = 'https://packages.example.net/simple'")
    traces = {"packages.example.net", "packages.example.org"}
    assert {str(planted): {"packages.example.net"}} == files_that_contain(traces, [planted])


def test_actors_are_kept_from_every_dependency_but_anyio_and_attrs() -> None:
    """A dependency that is added to the project is added to the import contract of `wsmgr.actors`."""
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    (actors,) = (contract for contract in contracts if contract.get("source_modules") == ["wsmgr.actors"])
    project = PROJECT["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["daemon"]]
    runtime = {Requirement(text).name.replace("-", "_") for text in texts}
    assert runtime - {"anyio", "attrs"} <= set(actors["forbidden_modules"])


def test_make_help_explains_every_target() -> None:
    """`make` alone tells what there is."""
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets
    assert targets[1].split() == re.findall(r"^make ([a-z]+) +\S", output_of("make", "help"), re.MULTILINE)
