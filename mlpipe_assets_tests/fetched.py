"""What some tests need beside our requirements, fetched once into the user's cache: jars by Maven, and environments with packages.

Without Java or Maven such a test is skipped, and fails where CI is set.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

_PACKAGES = {"java": "openjdk-17-jre-headless", "mvn": "maven", "javac": "openjdk-17-jdk-headless"}
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>tests</groupId><artifactId>jars</artifactId><version>1</version>
  <dependencies>{dependencies}</dependencies>
</project>
"""
_DEPENDENCY = """
    <dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>{}</dependency>"""
_ALONE = "<exclusions><exclusion><groupId>{}</groupId><artifactId>*</artifactId></exclusion></exclusions>"


def expect_tools(what: str, *programs: str) -> None:
    """Skip the test where a program is missing, and fail where CI is set.

    Args:
        what: What needs them, as a sentence has it.
        programs: Their names.
    """
    missing = [name for name in programs if shutil.which(name) is None]
    if missing and not os.environ.get("CI"):
        install = " ".join(_PACKAGES[name] for name in missing)
        pytest.skip(f"There is no {' and no '.join(missing)}, which {what} needs. Next: apt-get install {install}")
    assert not missing, f"There is no {' and no '.join(missing)}, which {what} needs, and CI skips nothing."


def fetch_jars(name: str, artifacts: Sequence[str], *, without: str = "") -> Path:
    """The folder of artifacts of Maven and of what these need.

    Args:
        name: Of the folder, with the version.
        artifacts: Each as `group:artifact:version`.
        without: A group of which nothing else is fetched.
    """
    alone = _ALONE.format(without) if without else ""
    found = "".join(_DEPENDENCY.format(*artifact.split(":"), alone) for artifact in artifacts)
    return fetch_jars_of(name, _POM.format(dependencies=found))


def fetch_jars_of(name: str, pom: str) -> Path:
    """The folder of what a POM names, and of what this needs."""
    expect_tools("fetching jars", "mvn")
    made = _cache() / name
    if not made.is_dir():
        fresh = made.with_name(f"{name}.{os.getpid()}")
        fresh.mkdir(parents=True)
        (fresh / "pom.xml").write_text(pom)
        copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={fresh}"]
        subprocess.run(["mvn", "-q", "-B", *copy], cwd=fresh, check=True, stdout=subprocess.DEVNULL)
        try:
            fresh.rename(made)
        except OSError:  # another test was faster
            shutil.rmtree(fresh)
    return made


def fetch_packages(name: str, *requirements: str) -> Path:
    """The folder of the packages of an environment that has some requirements, for this Python."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    made = _cache() / f"{name}-{python}"
    if not (made / "ready").exists():
        shutil.rmtree(made, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", f"{made}"], check=True)
        pip = [f"{made / 'bin' / 'python'}", "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, *requirements], check=True)
        (made / "ready").touch()
    return made / "lib" / f"python{python}" / "site-packages"


def make_environment(folder: Path, *requirements: str) -> Path:
    """The Python of an environment of a test's own that has some requirements, and nothing of ours."""
    python, uv = folder / "bin" / "python", Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *requirements], check=True)
    return python


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "mlpipe_assets_tests"
