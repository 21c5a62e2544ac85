"""How large the environment of the image is, and how large with the embedded broker and store: both made as the
Dockerfile makes them, of the same wheel.

    python -m benchmarks.image_size

The system below them (Python and Debian) is the same in both and is not counted.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import results
from benchmarks.results import Figure

ROOT = Path(__file__).parents[1]
#: Each lock that the Dockerfile takes, and what the image is with it.
LOCKS = {
    "requirements-server.txt": "the image: beside a broker and a store of one's own",
    "requirements.txt": "with the embedded broker and store too, as it was until 0.1.0",
}
MB = 1_000_000


def size_mb(lock: str, wheel: Path, folder: Path) -> float:
    """Megabytes of the files in an environment with what a lock names and the project, modules compiled."""
    environment = folder / lock
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python"), "--quiet"]
    pip += ["--disable-pip-version-check", "install", "--no-deps"]
    subprocess.run([*pip, "--require-hashes", "-r", str(ROOT / lock)], check=True)
    subprocess.run([*pip, str(wheel)], check=True)
    return sum(file.stat().st_size for file in environment.rglob("*") if file.is_file() and not file.is_symlink()) / MB


def main() -> None:
    """Make both, and keep what was found."""
    given = argparse.ArgumentParser()
    given.add_argument("--trial", action="store_true", help="keep the result apart")
    trial = given.parse_args().trial
    with tempfile.TemporaryDirectory(prefix="repmon-image-") as name:
        folder = Path(name)
        build = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel", "--no-deps"]
        subprocess.run([*build, "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)], check=True)
        (wheel,) = folder.glob("*.whl")
        sizes = {lock: size_mb(lock, wheel, folder) for lock in LOCKS}
    small, large = sizes.values()
    found = [Figure(name=f"`{lock}`", value=sizes[lock], unit="MB", note=note) for lock, note in LOCKS.items()]
    found.append(Figure(name="share", value=100 * small / large, unit="%", note="of the first in the second"))
    results.save("image_size", "python -m benchmarks.image_size", figures=found, trial=trial)
    for each in found:
        print(f"{each.name}: {each.value:.0f} {each.unit} ({each.note})")


if __name__ == "__main__":
    main()
