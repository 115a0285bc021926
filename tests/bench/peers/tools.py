"""What the peers run on: jars of Maven Central, a compiler among them, and virtual environments of their own.

Nothing of it is a dependency of the project. Jars lie in the cache of the embedded Kafka, environments in
`.tools/peers`; both are kept between runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from streams.embedded.binaries import java
from streams.embedded.cache import cache_dir
from streams.embedded.jars import jars

PROGRAMS = Path(__file__).parent / "programs"
ENVIRONMENTS = Path(".tools/peers")
COMPILER = "org.eclipse.jdt:ecj:3.46.0"
_JVM = ("-Xmx1g", "-XX:+UseParallelGC")
_OPENED = ("java.lang", "java.net", "java.nio", "java.text", "java.time", "java.util", "java.util.concurrent")


def jvm(name: str, source: str, *artifacts: str) -> list[str]:
    """The start of a command that runs a program of `programs`, compiled against these artifacts."""
    digest = hashlib.sha256(" ".join(artifacts).encode()).hexdigest()[:8]
    home = cache_dir() / "peers" / f"{name}-{digest}"
    class_path = [str(home / "classes"), *map(str, jars(cache_dir(), home, *artifacts))]
    _compile(PROGRAMS / f"{source}.java", home / "classes", class_path)
    opened = [f"--add-opens=java.base/{p}=ALL-UNNAMED" for p in _OPENED]
    logs = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    return [str(java()), *_JVM, *opened, logs, "-cp", os.pathsep.join(class_path), source]


def _compile(source: Path, classes: Path, class_path: Sequence[str]) -> None:
    """By Eclipse's compiler: the JDK that comes as a wheel has none."""
    home = cache_dir() / "peers" / COMPILER.replace(":", "-")
    compiler = os.pathsep.join(map(str, jars(cache_dir(), home, COMPILER)))
    shutil.rmtree(classes, ignore_errors=True)
    classes.mkdir(parents=True)
    main = [str(java()), "-cp", compiler, "org.eclipse.jdt.internal.compiler.batch.Main"]
    options = ["-17", "-proc:none", "-nowarn", "-cp", os.pathsep.join(class_path), "-d", str(classes)]
    subprocess.run([*main, *options, str(source)], check=True)


def python(name: str, *requirements: str) -> list[str]:
    """The start of a command in a virtual environment that holds these requirements."""
    home = ENVIRONMENTS / name
    told = home / "requirements.txt"
    wanted = "\n".join(requirements)
    if not told.exists() or told.read_text() != wanted:
        uv = shutil.which("uv") or ".tools/bin/uv"
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)], check=True)
        into = ["--python", str(home / "bin" / "python")]
        subprocess.run([uv, "pip", "install", "--quiet", *into, *requirements], check=True)
        told.write_text(wanted)
    return [str(home.absolute() / "bin" / "python")]


def program(name: str) -> str:
    """The path of a Python program of `programs`."""
    return str(PROGRAMS / name)
