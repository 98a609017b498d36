"""``doctor`` as a whole: its text, its JSON and its help; nothing is changed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.cli.doctor.repositories import CHECKS, COLUMNS, ONLINE, checks, faults, git, offline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import RunnerProject


class TestWhole:
    def test_healthy_project_has_no_problem(self, healthy: RunnerProject) -> None:
        """A healthy project has no problem offline."""
        found = offline(healthy)
        for name, each in found.items():
            assert each["status"] == ("not_checked" if name in ONLINE else "ok"), each
        assert {found[name]["message"] for name in ONLINE} == {"--offline"}

    def test_text_has_a_line_per_check(self, healthy: RunnerProject) -> None:
        """The text has a line for each check and a summary."""
        ended = healthy.execute("doctor", "--offline")
        assert ended.code == 0
        lines = ended.out.splitlines()
        told = [line.split() for line in lines if not line.startswith(" ")]
        labels = [("ok", name) for name in CHECKS if name not in ONLINE]
        assert [(words[0], words[1]) for words in told[: len(labels)]] == labels
        assert [words[:3] for words in told[len(labels) : -1]] == [
            ["not", "checked", name] for name in ONLINE
        ]
        assert lines[-1] == "No problem found; not checked: template, service, drift."

    def test_problem_has_its_remedy_below(self, healthy: RunnerProject) -> None:
        """A problem has its remedy below it, within 80 columns."""
        names = [f"a_rather_long_name_of_a_file_{number}.txt" for number in range(4)]
        for name in names:
            (healthy.root / name).write_text("<<<<<<< mine\n")
        (healthy.root / ".copier-answers.yml").unlink()
        ended = healthy.execute("doctor", "--offline")
        assert ended.code == 1
        assert "\x1b" not in ended.out
        lines = ended.out.splitlines()
        assert max(map(len, lines)) <= COLUMNS
        assert lines[0].startswith("PROBLEM      conflicts  ")
        answers = next(n for n, line in enumerate(lines) if line.startswith("PROBLEM      answers"))
        assert lines[answers + 2] == " " * 13 + "git checkout HEAD -- .copier-answers.yml"
        assert lines[-1].startswith("2 problems: conflicts, answers; not checked: ")

    def test_nothing_is_changed(self, healthy: RunnerProject) -> None:
        """Nothing in the project is changed."""
        healthy.execute("doctor")
        assert git(healthy.root, "status", "--short", "--ignored") == ""

    def test_an_unknown_flag_is_a_usage_error(self, healthy: RunnerProject) -> None:
        """An unknown flag is a usage error."""
        assert healthy.run("doctor", "--upside-down").code == 2

    def test_help_imports_neither_agent_nor_checks(self, healthy: RunnerProject) -> None:
        """The help fits the terminal and imports neither agent nor checks."""
        healthy.write_agent("raise RuntimeError('imported for --help')")
        heavy = ["benchmark_runner.cli.doctor", "benchmark_runner.base", "yaml", "httpx"]
        healthy.script.write_text(
            "import atexit, sys\n"
            f"heavy = {heavy}\n"
            "atexit.register(lambda: print([n for n in heavy if n in sys.modules]))\n"
            "from runner.cli import cli\n"
            "cli()\n"
        )
        ended = healthy.execute("doctor", "--help")
        assert ended.code == 0
        lines = ended.out.splitlines()
        assert lines[-1] == "[]"
        assert max(map(len, lines)) <= COLUMNS

    def test_wheel_is_checked_without_repository(
        self, healthy: RunnerProject, tmp_path: Path
    ) -> None:
        """An installed wheel is checked without what needs the repository."""
        site = tmp_path / "venv" / "site-packages"
        shutil.copytree(healthy.root / "runner", site / "runner")
        shutil.copytree(healthy.root / "data", site / "runner" / "data")
        path = healthy.environment()["PYTHONPATH"].split(":")[0]
        ended = healthy.execute("doctor", "--json", cwd=tmp_path, PYTHONPATH=f"{path}:{site}")
        found = checks(ended)
        of_repository = ["conflicts", "answers", "runtime", "template", "drift"]
        for name, each in found.items():
            assert each["status"] == ("not_checked" if name in of_repository else "ok"), each
        messages = {found[name]["message"] for name in of_repository}
        assert messages == {"installed without its repository"}

    def test_agents_output_does_not_spoil_the_json(self, healthy: RunnerProject) -> None:
        """Output of the agent does not spoil the JSON."""
        healthy.change_agent(("import asyncio\n", "import asyncio\nprint('imported')\n"))
        assert faults(healthy.execute("doctor", "--offline", "--json")) == []
