"""What an author does to a copy: edits of every kind, to be made on any version of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: In each shared file: a comment that says whose lines follow, and lines that an author writes.
ADDITIONS = {
    "pyproject.toml": [
        ("# Your own metadata goes below this line", 'license = "MIT"\nkeywords = ["x"]\n'),
        ("    # Your own dependencies go below this line", '    "numpy>=2",\n'),
        ("# Your own scripts go below this line", 'my-tool = "runner.tool:main"\n'),
        ("# Your own entry points go below this line", 'my_tasks = "tool.tasks"\n'),
        ("    # Your own development tools go below this line", '    "ipython",\n'),
        ("    # Your own packages and modules beside runner/ go below this line", '    "/tool",\n'),
        ("# Your own sources go below this line", "thing = { workspace = true }\n"),
        ("# Your own settings of pytest go below this line", 'markers = ["slow"]\n'),
        ("# Your own settings of pyright go below this line", 'typeCheckingMode = "strict"\n'),
        ("# Your own settings of ruff go below this line", 'extend-exclude = ["notebooks"]\n'),
        ("# Your own rules go below this line", 'extend-select = ["D"]\nignore = ["D100"]\n'),
        ("# Your own tool settings go below this line", "\n[tool.mine]\nx = 1\n"),
    ],
    ".gitignore": [("# Your own patterns go below this line", "*.parquet\n!keep.parquet\n")],
    ".dockerignore": [("# Your own patterns go below this line", "notebooks\n")],
    # With a blank line at the end of one and at the beginning of the other.
    "Dockerfile": [
        (
            "# Your own system packages go below this line",
            "RUN apt-get update && apt-get install --yes git\n\n",
        ),
        ("# Your own files go below this line", "\nCOPY prompts /app/prompts\n"),
    ],
    "Makefile": [
        (
            "# Your own targets go into project.mk, or below this line",
            "\nfigures: ## Draw the figures\n\techo drawn\n",
        )
    ],
    ".github/workflows/ci.yml": [
        (
            "  # Your own jobs go below this line",
            "\n  figures:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make figures\n",
        )
    ],
    "AGENTS.md": [("<!-- Your own notes go below this line", "\nBe kind.\n")],
}

#: Lines of the framework that an author has changed, and a release seldom does.
CHANGES = {
    "pyproject.toml": ('version = "0.1.0"', 'version = "0.4.0"'),
    "Makefile": ("ARGS ?= --dataset-name validation", "ARGS ?= --dataset-name mine"),
    "Dockerfile": ("ARG PYTHON_VERSION=3.13", "ARG PYTHON_VERSION=3.12"),
    "AGENTS.md": ("# Notes for coding agents", "# Notes for agents"),
}

NEW_FILES = {
    "project.mk": "mine:\n\techo mine\n",
    "uv.lock": "version = 1\n",
    "data/mine.jsonl": '{"id": "t", "question": "Why?", "answer": "So"}\n',
    "runner/tool.py": "def main() -> None: ...\n",
    "tests/test_tool.py": "def test_it() -> None: ...\n",
    ".github/workflows/nightly.yml": "name: Nightly\non: workflow_dispatch\njobs: {}\n",
}

REWRITTEN = [
    "README.md",
    ".env.example",
    "data/more.json",
    "runner/__init__.py",
    "runner/benchmark.py",
    "runner/cli.py",
    "runner/grader.py",
]
DELETED = ["data/validation.json", "tests/test_benchmark.py", "tests/test_grader.py"]
UNTOUCHED = ["tests/__init__.py"]
#: What only one of the sample agents brings.
OF_ONE_SAMPLE = ["runner/sample_agent.py", "tests/chat_server.py"]


def is_the_authors(name: str) -> bool:
    """Whether the template makes a file once, or never."""
    made_once = {*REWRITTEN, *DELETED, *UNTOUCHED, *OF_ONE_SAMPLE}
    return name in NEW_FILES or name in made_once or name.startswith("data/")


def replace(path: Path, old: str, new: str) -> None:
    """Replace text that must be there once."""
    text = path.read_text()
    assert text.count(old) == 1, (path, old, text)
    path.write_text(text.replace(old, new))


def line_of(anchor: str, text: str) -> int:
    """The number of the line below which an author writes."""
    numbers = [n for n, line in enumerate(text.splitlines()) if line.startswith(anchor)]
    assert len(numbers) == 1, (anchor, text)
    return numbers[0]


@dataclass(frozen=True)
class Edits:
    """What one author edits, adds and deletes."""

    additions: list[tuple[str, str, str]]
    changes: list[tuple[str, str, str]]

    @classmethod
    def of(cls, project: Path) -> Edits:
        """All edits that this copy has a place for."""
        texts = {path.relative_to(project).as_posix(): path.read_text() for path in files(project)}
        return cls(
            [
                (name, anchor, lines)
                for name, additions in ADDITIONS.items()
                for anchor, lines in additions
                if anchor in texts.get(name, "")
            ],
            [
                (name, old, new)
                for name, (old, new) in CHANGES.items()
                if old in texts.get(name, "")
            ],
        )

    def apply(self, project: Path) -> None:
        """Make them."""
        for name, anchor, addition in self.additions:
            text = (project / name).read_text()
            lines = text.splitlines(keepends=True)
            lines.insert(line_of(anchor, text) + 1, addition)
            (project / name).write_text("".join(lines))
        for name, old, new in self.changes:
            replace(project / name, old, new)
        for name, text in NEW_FILES.items():
            (project / name).write_text(text)
        for name in REWRITTEN:
            (project / name).write_bytes(f"# {name} is mine\r\n\tno newline at the end".encode())
        for name in DELETED:
            (project / name).unlink(missing_ok=True)


def files(project: Path) -> list[Path]:
    """What git would commit of a project, whatever it ignores."""
    return [
        path
        for path in sorted(project.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(project).parts
    ]
