"""Writes the boards: `python -m grafana`."""

from __future__ import annotations

from pathlib import Path

from grafana.boards import rendered

FOLDER = Path(__file__).with_name("dashboards")


def main() -> None:
    """Replaces all boards; one that is made no more is taken away."""
    made = rendered()
    for old in FOLDER.glob("*.json"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
