"""Builds the simulated camera's GenTL producer, a plain shared library in C, as a part of the package.

``python setup.py build_cti`` builds it in place, ``--output FILE`` elsewhere; CC and CFLAGS of the environment are
honoured, for example ``CFLAGS="-g -fsanitize=address,undefined"``. Without a C compiler the package installs without it
and says so.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

from setuptools import Command, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist
from setuptools.dist import Distribution

ROOT = Path(__file__).resolve().parent
SOURCES = Path("simulator/gentl")  # relative to ROOT: the sources name camera.xml by its path from there
LIBRARY = SOURCES / "datumd_sim.cti"
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-fvisibility=hidden", "-pthread"]


def compiler() -> list[str] | None:
    """The C compiler of CC, or cc, gcc or clang; None where there is none."""
    named = shlex.split(os.environ.get("CC", ""))
    for command in [named, ["cc"], ["gcc"], ["clang"]]:
        if command and shutil.which(command[0]):
            return command
    return None


def build(target: Path) -> bool:
    """Compile the producer to ``target``, an absolute path. Returns False, after a warning, where that cannot be."""
    command = compiler()
    if command is None:
        warn("no C compiler was found", "apt-get install gcc libc6-dev")
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    sources = sorted(str(path.relative_to(ROOT)) for path in (ROOT / SOURCES).glob("*.c"))
    extra = shlex.split(os.environ.get("CFLAGS", ""))
    line = [*command, *FLAGS, *extra, "-shared", "-o", str(draft), *sources, "-lm"]
    print(shlex.join(line))
    done = subprocess.run(line, cwd=ROOT, check=False)
    if done.returncode != 0:
        draft.unlink(missing_ok=True)
        warn("the C compiler failed", "apt-get install gcc libc6-dev")
        return False
    draft.replace(target)  # whoever has the old one mapped keeps it whole
    return True


def warn(what: str, remedy: str) -> None:
    """Say what is missing without failing the installation."""
    print(
        f"\nWARNING: {what}: the simulated GenICam camera ({LIBRARY}) is not built. Everything else works.\n"
        f"WARNING: to have it: {remedy}, then python setup.py build_cti\n",
        file=sys.stderr,
    )


class BuildCti(Command):
    """``build_cti``: the producer alone; unlike an installation it fails where it cannot be built."""

    description = "build the simulated camera's GenTL producer"
    user_options: ClassVar[list[tuple[str, str | None, str]]] = [("output=", "o", "file to build instead")]

    def initialize_options(self) -> None:
        """Build in place by default."""
        self.output = str(ROOT / LIBRARY)

    def finalize_options(self) -> None:
        """Nothing depends on other options."""

    def run(self) -> None:
        """Build it."""
        if not build(Path(self.output).resolve()):
            sys.exit(1)


class BuildPy(build_py):
    """Puts the producer beside the Python modules; into the source tree for an editable installation."""

    def run(self) -> None:
        """Build the modules, then the producer."""
        super().run()
        build(ROOT / LIBRARY if self.editable_mode else Path(self.build_lib).resolve() / LIBRARY)


class Sdist(sdist):
    """Carries the C sources, so that a wheel can be built from it."""

    def make_distribution(self) -> None:
        """Add everything the producer is built from."""
        names = ("*.c", "*.h", "*.xml")
        self.filelist.extend([str(path.relative_to(ROOT)) for name in names for path in (ROOT / SOURCES).glob(name)])
        super().make_distribution()


class PlatformDistribution(Distribution):
    """A wheel that holds a compiled library is of one platform."""

    def has_ext_modules(self) -> bool:
        """True where the producer will be built."""
        return compiler() is not None


class BdistWheel(bdist_wheel):
    """Tagged for any Python 3 on this platform: the library has no Python API."""

    def get_tag(self) -> tuple[str, str, str]:
        """The wheel's tag."""
        _, _, platform = super().get_tag()
        return ("py3", "none", platform)


setup(
    cmdclass={"build_cti": BuildCti, "build_py": BuildPy, "bdist_wheel": BdistWheel, "sdist": Sdist},
    distclass=PlatformDistribution,
)
