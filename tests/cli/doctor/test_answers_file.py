"""The answers file, and the command that restores it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.doctor.repositories import KEY, checks, commit, offline, write_answers

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import RunnerProject


class TestAnswers:
    @pytest.mark.parametrize(
        ("damage", "said"),
        [
            (None, "is missing"),
            ("a: [\n", "no YAML"),
            ("just a text\n", "lacks _src_path, _commit, benchmark_name, runtime_source"),
            ("_commit: v0.1.0\n_src_path: gh:a/b\nruntime_source: git\n", "lacks benchmark_name"),
            ("<<<<<<< before\n_commit: v1\n=======\n", "is damaged"),
        ],
    )
    @pytest.mark.parametrize("elsewhere", [False, True])
    def test_damaged_answers_come_back_from_git(
        self,
        healthy: RunnerProject,
        monkeypatch: pytest.MonkeyPatch,
        damage: str | None,
        said: str,
        elsewhere: bool,
    ) -> None:
        """A damaged answers file is restored from git by the remedy."""
        file = healthy.root / ".copier-answers.yml"
        whole = file.read_text()
        file.unlink() if damage is None else file.write_text(damage)
        if elsewhere:
            monkeypatch.chdir(healthy.root.parent)
        found = offline(healthy)["answers"]
        assert found["status"] == "fault"
        assert said in found["message"]
        ended = healthy.shell(
            found["remedy"].splitlines()[-1], cwd=healthy.root.parent if elsewhere else None
        )
        assert ended.code == 0
        assert file.read_text() == whole

    @pytest.mark.parametrize(
        ("source", "status"), [("clone", "fault"), ("../clone", "ok"), ("gh:a/clone", "ok")]
    )
    def test_relative_source_has_to_be_there(
        self, healthy: RunnerProject, source: str, status: str
    ) -> None:
        """A template's path that is relative to another folder is a problem: no update finds it."""
        (healthy.root.parent / "clone").mkdir()
        write_answers(healthy, _src_path=source)
        found = offline(healthy)["answers"]
        assert found["status"] == status
        assert (found["remedy"] is not None) == (status == "fault")

    @pytest.mark.parametrize(
        ("source", "end"),
        [
            ("", "index --data benchmark_name=sample --vcs-ref v0.1 {public}"),
            ("{{ path = '{clone}/runtime' }}", "clone --data {name} --vcs-ref HEAD {clone}"),
            ("{{ path = '/gone/runtime' }}", "git --data {name} --vcs-ref v0.1 {public}"),
            (
                f"{{{{ git = 'https://me:{KEY}@example.com/t.git', rev = 'abcdef0' }}}}",
                "git --data {name} --vcs-ref abcdef0 https://example.com/t.git",
            ),
            (
                "{{ git = 'ssh://git@example.com/t.git', rev = 'abcdef0' }}",
                "git --data {name} --vcs-ref abcdef0 ssh://git@example.com/t.git",
            ),
        ],
    )
    def test_answers_are_made_from_the_source(
        self, healthy: RunnerProject, tmp_path: Path, source: str, end: str
    ) -> None:
        """An answers file that was never complete is made from the runtime's source."""
        clone = tmp_path / "clone"
        (clone / ".git").mkdir(parents=True)
        write_answers(healthy, benchmark_name=None)
        if source:
            with (healthy.root / "pyproject.toml").open("a") as metadata:
                text = source.format(clone=clone)
                metadata.write(f"[tool.uv.sources]\nvals-benchmark-runner = {text}\n")
        commit(healthy.root)
        remedy = offline(healthy)["answers"]["remedy"]
        assert "rm -f .copier-answers.yml && " in remedy
        end = end.format(
            name="benchmark_name=sample", clone=clone, public="gh:vals-ai/create-benchmark-runner"
        )
        assert remedy.endswith(f" --data runtime_source={end} .")

    def test_copy_without_git_gets_no_updates(self, healthy: RunnerProject) -> None:
        """A copy from a folder without git gets no updates."""
        write_answers(healthy, _commit=None)
        found = offline(healthy)["answers"]
        assert found["status"] == "fault"
        assert "no updates" in found["message"]
        assert "git checkout HEAD" in found["remedy"]

    def test_damaged_answers_are_not_shown(self, healthy: RunnerProject) -> None:
        """The content of a damaged answers file is not shown."""
        file = healthy.root / ".copier-answers.yml"
        file.write_text(f"_src_path: 'https://me:{KEY}@example.com\n  [")
        ended = healthy.run("doctor", "--offline")
        assert ended.code == 1
        assert KEY not in ended.out + ended.err

    def test_other_checks_need_the_answers(self, healthy: RunnerProject) -> None:
        """Other checks say that they need the answers file."""
        (healthy.root / ".copier-answers.yml").unlink()
        found = checks(healthy.run("doctor", "--json"))
        for name in ("template", "drift"):
            assert found[name]["status"] == "not_checked"
            assert "answers" in found[name]["message"]
