"""What people install: the wheel that is built from the sdist, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command without this process's Python settings; what it printed, or a failure with all it said."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))
    }
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{command} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(target: str, source: Path, output: Path) -> Path:
    """Build one distribution with the backend that is installed here (nothing is fetched); the file made."""
    run(sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", output, cwd=source)
    (built,) = output.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    unpacked = tmp_path_factory.mktemp("unpacked")
    run("tar", "-xzf", sdist, "-C", unpacked, cwd=unpacked)
    (source,) = unpacked.iterdir()
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel, and sees the dependencies that are installed here."""
    environment = tmp_path_factory.mktemp("outside") / "environment"
    venv.create(environment, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--quiet", "--python", environment / "bin" / "python")
    run(*pip, "install", "--no-deps", "--no-index", "--no-compile", wheel, cwd=environment)
    (packages,) = environment.glob("lib/python*/site-packages")
    # A .pth file inside a directory that a .pth file names is not followed: the editable checkout stays unseen.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment


@pytest.fixture(scope="module")
def distribution(installed: Path) -> Distribution:
    (metadata,) = installed.glob("lib/python*/site-packages/wsmgr-*.dist-info")
    return PathDistribution(metadata)


def test_the_installed_command_runs_outside_the_checkout(installed: Path, distribution: Distribution) -> None:
    """`pip install wsmgr` gives a `wsmgr` that starts, and it is the installed one."""
    assert distribution.version in run(installed / "bin" / "wsmgr", "--version", cwd=installed)


def test_the_installed_package_is_the_wheel_and_not_the_checkout(installed: Path) -> None:
    """The other tests of this file speak of the wheel."""
    where = run(installed / "bin" / "python", "-c", "import wsmgr; print(wsmgr.__file__)", cwd=installed)
    assert Path(where.strip()).is_relative_to(installed)


def test_the_wheel_brings_one_top_level_package(wheel: Path) -> None:
    """`actors`, `manager` and `cli` would collide with packages that people have."""
    with zipfile.ZipFile(wheel) as archive:
        top_level = {name.split("/")[0] for name in archive.namelist()}
    assert {"wsmgr"} == {name for name in top_level if not name.endswith(".dist-info")}


def test_the_wheel_holds_every_module_of_the_checkout(wheel: Path) -> None:
    """What imports in the checkout imports when installed, and nothing else comes along."""
    source = ROOT / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in (source / "wsmgr").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        assert expected == {name for name in archive.namelist() if name.startswith("wsmgr/")}


def test_the_wheel_is_typed_and_licensed(installed: Path, distribution: Distribution) -> None:
    """Type checkers of users read our annotations; the licence travels with the code."""
    (package,) = installed.glob("lib/python*/site-packages/wsmgr")
    assert (package / "py.typed").is_file()
    assert distribution.metadata["License-Expression"] == "MIT"
    assert distribution.metadata.get_all("License-File") == ["LICENSE"]
    assert (ROOT / "LICENSE").read_text() == distribution.read_text("licenses/LICENSE")


def test_the_sdist_holds_the_tree_once(sdist: Path) -> None:
    """The links of the top level are for people who open the tree; packed, they would be a second copy."""
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    inside = {name.split("/")[1] for name in names}
    assert {"actors", "manager", "cli"}.isdisjoint(inside)
    assert {"src", "tests", "docs", "LICENSE", "Makefile", "README.md", "requirements.lock"} <= inside
    assert len(names) == len(set(names))
