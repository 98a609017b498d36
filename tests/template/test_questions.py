"""What a user may answer, and what is made of it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import copier
import pytest
import yaml

if TYPE_CHECKING:
    from tests.conftest import Run
    from tests.template.conftest import CopyTemplate

ROOT = Path(__file__).parents[2]
QUESTIONS: dict[str, Any] = yaml.safe_load((ROOT / "copier.yml").read_text())


def answers_of(project: Path) -> dict[str, Any]:
    return yaml.safe_load((project / ".copier-answers.yml").read_text())


def metadata_of(project: Path) -> dict[str, Any]:
    return tomllib.loads((project / "pyproject.toml").read_text())


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ["my-bench", "x", "swe-2-hard", "a1", "benchmark-of-mine"])
def test_valid_name_is_kept(name: str, copy_template: CopyTemplate, tmp_path: Path) -> None:
    """A valid name is taken as it is."""
    project = copy_template(tmp_path / "folder", benchmark_name=name)
    assert answers_of(project)["benchmark_name"] == name
    assert list(metadata_of(project)["project"]["scripts"]) == [f"{name}-runner"]


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("name", "slug", "class_name"),
    [
        ("cyber_bench", "cyber-bench", "CyberBenchRunner"),
        ("CyberBench42", "cyberbench42", "Cyberbench42Runner"),
        (" My Bench v1.2 ", "my-bench-v1-2", "MyBenchV12Runner"),
        ("import", "import", "ImportRunner"),
        ("json", "json", "JsonRunner"),
        ("pytest", "pytest", "PytestRunner"),
        ("none", "none", "NoneRunner"),
    ],
)
def test_name_is_normalized(
    name: str, slug: str, class_name: str, copy_template: CopyTemplate, tmp_path: Path
) -> None:
    """A name is spelled with lower-case letters and hyphens, in the answers, too."""
    project = copy_template(tmp_path / "folder", benchmark_name=name)
    answers = answers_of(project)
    assert answers["benchmark_name"] == slug
    assert answers["description"].endswith(f" {slug}.")
    assert metadata_of(project)["project"]["name"] == f"{slug}-runner"
    code = (project / "runner" / "benchmark.py").read_text()
    assert f'NAME = "{slug}"' in code
    assert f"class {class_name}(BenchmarkRunner):" in code
    compile(code, "benchmark.py", "exec")


@pytest.mark.sampled
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "can't be empty"),
        ("bad name!", "lower-case letters, digits and single hyphens only"),
        (" ", "can't be empty"),
        ("3-things", "must start with a letter"),
        ("_bench", "must start with a letter"),
        (".bench", "must start with a letter"),
        ("my--bench", "single hyphens"),
        ("my_-bench", "single hyphens"),
        ("my/bench", "single hyphens"),
        ("gr\u00f6\u00dfe", "single hyphens"),
        ("bench-", "single hyphens"),
        ("bench\n", "single hyphens"),
        ("my-bench-runner", "Leave out the ending -runner"),
        ("My_Bench_Runner", "Leave out the ending -runner"),
        ("vals-benchmark", "the name of another package"),
        ("Vals_Benchmark", "vals-benchmark-runner is the name of another package"),
        ("benchmark", "the name of another package"),
        ("a" * 41, "40 characters at most"),
    ],
)
def test_invalid_name_is_refused(
    name: str, reason: str, copy_template: CopyTemplate, tmp_path: Path
) -> None:
    """An invalid name is refused with the reason."""
    with pytest.raises(ValueError, match=reason):
        copy_template(tmp_path / "folder", benchmark_name=name)
    assert not (tmp_path / "folder").exists()


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my-bench", "my-bench"),
        ("my-bench-runner", "my-bench"),
        ("My_Bench", "my-bench"),
        ("My Bench (v2)", "my-bench-v2"),
        ("3-things", "bench-3-things"),
        ("json", "json"),
        ("vals-benchmark-runner", "vals-benchmark-tasks"),
        ("Größe", "gr-e"),
        ("試験", "my-bench"),
        ("a" * 80, "a" * 32),
    ],
)
def test_default_name_comes_from_the_folder(
    folder: str, name: str, copy_template: CopyTemplate, tmp_path: Path
) -> None:
    """The default name comes from the name of the folder."""
    assert answers_of(copy_template(tmp_path / folder))["benchmark_name"] == name


def test_folder_may_be_the_current_one(template_repo: Path, run: Run, tmp_path: Path) -> None:
    """The folder may be the current one."""
    folder = tmp_path / "My_Bench"
    folder.mkdir()
    printed = run(
        sys.executable, "-m", "copier", "copy", "--defaults", "--vcs-ref", "HEAD",
        template_repo, ".",
        cwd=folder,
    )  # fmt: skip
    assert answers_of(folder)["benchmark_name"] == "my-bench"
    assert "    make install\n    uv run my-bench-runner run" in printed
    assert "    cd " not in printed


def test_name_is_spelled_for_each_place(copy_template: CopyTemplate, tmp_path: Path) -> None:
    """The name is spelled as each place needs it."""
    project = copy_template(tmp_path / "my-bench-runner")
    benchmark = (project / "runner" / "benchmark.py").read_text()
    assert metadata_of(project)["project"]["name"] == "my-bench-runner"
    assert metadata_of(project)["project"]["scripts"] == {"my-bench-runner": "runner.cli:cli"}
    assert "class MyBenchRunner(BenchmarkRunner):" in benchmark
    assert 'NAME = "my-bench"' in benchmark
    assert 'GENERATION_VERSION_ENV = "MY_BENCH_GENERATION_VERSION"' in benchmark
    assert "MY_BENCH_GENERATION_VERSION=" in (project / "Dockerfile").read_text()


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "description",
    [
        """It's "quoted" with 'both' kinds""",
        r"A back\slash, a tab's \t and C:\new",
        "Braces {{ benchmark_name }} {% if x %} {# not a comment #} ${HOME}",
        "Emoji 🎯, Umlaute äöü, 漢字",
        "colon: here # not a comment, - [ ] & * ! | > % @ `",
        "yes",
        "1.0",
    ],
)
def test_description_is_kept_as_written(
    description: str, copy_template: CopyTemplate, tmp_path: Path
) -> None:
    """A description arrives as it was written."""
    project = copy_template(tmp_path / "my-bench", description=description)
    assert answers_of(project)["description"] == description
    assert metadata_of(project)["project"]["description"] == description
    assert f"\n{description}\n" in (project / "README.md").read_text()


@pytest.mark.sampled(1)
@pytest.mark.parametrize("description", ["", "   ", "two\nlines", "a bell \a"])
def test_description_must_be_one_line(
    description: str, copy_template: CopyTemplate, tmp_path: Path
) -> None:
    """A description that is not one line of text is refused."""
    with pytest.raises(ValueError, match="description"):
        copy_template(tmp_path / "my-bench", description=description)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "url", ["local", "http://localhost:8000", "https://my-bench.example.com/a/b", "http://[::1]:80"]
)
def test_service_url_is_the_default(url: str, copy_template: CopyTemplate, tmp_path: Path) -> None:
    """A service URL becomes the default of the command line."""
    project = copy_template(tmp_path / "my-bench", service_url=url)
    assert f'default_service_url="{url}"' in (project / "runner" / "cli.py").read_text()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("url", ["", "example.com", "ftp://x", 'http://x"', "http://x y"])
def test_invalid_service_url_is_refused(
    url: str, copy_template: CopyTemplate, tmp_path: Path
) -> None:
    """An invalid service URL is refused."""
    with pytest.raises(ValueError, match="Give local, or a URL"):
        copy_template(tmp_path / "my-bench", service_url=url)


def test_local_clone_gives_the_runtime(project: Path, template_repo: Path) -> None:
    """A copy from a local clone takes the runtime from that clone."""
    answers = answers_of(project)
    assert answers["runtime_source"] == "clone"
    assert answers["clone_path"] == str(template_repo)
    assert "runtime_git_url" not in answers
    assert metadata_of(project)["tool"]["uv"]["sources"] == {
        "vals-benchmark-runner": {"path": f"{template_repo}/runtime", "editable": True}
    }


def test_git_source_is_pinned_to_the_commit(
    copy_template: CopyTemplate, template_repo: Path, run: Run, tmp_path: Path
) -> None:
    """The git source is pinned to the commit of the template."""
    project = copy_template(tmp_path / "my-bench", runtime_source="git")
    commit = run("git", "rev-parse", "HEAD", cwd=template_repo).strip()
    assert metadata_of(project)["tool"]["uv"]["sources"] == {
        "vals-benchmark-runner": {
            "git": "https://github.com/vals-ai/create-benchmark-runner.git",
            "rev": commit,
            "subdirectory": "runtime",
        }
    }
    assert f"@{commit}#subdirectory=runtime" in (project / "Makefile").read_text()


def test_package_index_needs_no_source(copy_template: CopyTemplate, tmp_path: Path) -> None:
    """The package index needs no source."""
    project = copy_template(tmp_path / "my-bench", runtime_source="index")
    assert metadata_of(project)["tool"]["uv"]["sources"] == {}


@pytest.mark.parametrize(
    ("source", "runtime_source", "git_url"),
    [
        ("gh:vals-ai/thing", "git", "https://github.com/vals-ai/thing.git"),
        ("gl:vals-ai/thing.git", "git", "https://gitlab.com/vals-ai/thing.git"),
        ("git+https://example.com/t.git", "git", "https://example.com/t.git"),
        ("https://example.com/t.git", "git", "https://example.com/t.git"),
        ("git@example.com:me/t.git", "git", "ssh://git@example.com/me/t.git"),
        ("deploy@example.com:grp/t.git", "git", "ssh://deploy@example.com/grp/t.git"),
        ("example.com:/grp/t.git", "git", "ssh://example.com/grp/t.git"),
        ("ssh://deploy@example.com:22/t.git", "git", "ssh://deploy@example.com:22/t.git"),
        ("git+ssh://git@example.com/t.git", "git", "ssh://git@example.com/t.git"),
        ("git+file:///srv/mirror", "git", "file:///srv/mirror"),
        ("file:///srv/mirror.git", "git", "file:///srv/mirror.git"),
        ("git+/srv/mirror", "git", "file:///srv/mirror"),
        ("/srv/bare.git", "git", "file:///srv/bare.git"),
        ("https://oauth2:glpat-1234567890@example.com/t.git", "git", "https://example.com/t.git"),
        ("git+https://glpat-1234567890@example.com/t.git", "git", "https://example.com/t.git"),
        ("ssh://git:word@example.com/t.git", "git", "ssh://git@example.com/t.git"),
        ("https://example.com/t.git?private_token=word", "git", "https://example.com/t.git"),
        ("/home/me/clone", "clone", None),
    ],
)
def test_default_source_follows_the_template(
    source: str, runtime_source: str, git_url: str | None, tmp_path: Path
) -> None:
    """The default source follows where the template came from."""
    answers = ask_with_source(source, tmp_path)
    assert answers["runtime_source"] == runtime_source
    assert answers.get("runtime_git_url") == git_url


def ask_with_source(source: str, tmp_path: Path) -> dict[str, Any]:
    """Answer the two questions alone in a template whose source is taken to be ``source``."""
    names = ("runtime_source", "clone_path", "runtime_git_url")
    questions = {
        name: {
            key: value.replace("_copier_answers._src_path", f"'{source}'")
            if isinstance(value, str)
            else value
            for key, value in QUESTIONS[name].items()
        }
        for name in names
    }
    template = tmp_path / "template"
    template.mkdir()
    (template / "copier.yml").write_text(yaml.safe_dump(questions, sort_keys=False))
    (template / "answers.yml.jinja").write_text("{{ _copier_answers | to_nice_yaml }}")
    copier.run_copy(str(template), tmp_path / "copy", defaults=True, quiet=True)
    return yaml.safe_load((tmp_path / "copy" / "answers.yml").read_text())


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("version", "requirement"),
    [
        ("0.1.0", "vals-benchmark-runner>=0.1.0,<0.2"),
        ("0.12.3", "vals-benchmark-runner>=0.12.3,<0.13"),
        ("1.4.2", "vals-benchmark-runner>=1.4.2,<2"),
    ],
)
def test_runtime_has_an_upper_limit(
    version: str, requirement: str, template_repo: Path, run: Run, tmp_path: Path
) -> None:
    """The runtime is limited to versions below the next breaking release."""
    template = tmp_path / "template"
    run("git", "clone", "--quiet", template_repo, template, cwd=tmp_path)
    runtime = template / "runtime" / "pyproject.toml"
    stated = tomllib.loads(runtime.read_text())["project"]["version"]
    runtime.write_text(runtime.read_text().replace(f'"{stated}"', f'"{version}"', 1))
    run("git", "commit", "--all", "--allow-empty", "--message", "Release", cwd=template)
    project = tmp_path / "my-bench"
    copier.run_copy(str(template), project, defaults=True, vcs_ref="HEAD", quiet=True)
    assert metadata_of(project)["project"]["dependencies"][0] == requirement


def test_nothing_asks_for_trust(template_repo: Path) -> None:
    """Nothing in the template asks for trust."""
    unsafe = {"_tasks", "_migrations", "_jinja_extensions", "_external_data"}
    assert unsafe.isdisjoint(QUESTIONS)
    for path in template_repo.rglob("copier.y*ml"):
        assert path == template_repo / "copier.yml"


@pytest.mark.parametrize(("agent", "needs_key"), [("baseline", False), ("tools", True)])
def test_next_steps_are_printed(
    agent: str, needs_key: bool, template_repo: Path, tmp_path: Path
) -> None:
    """After a copy the next steps are printed, with the key that the agent needs."""
    done = subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--defaults", "--vcs-ref", "HEAD",
         "--data", f"sample_agent={agent}", template_repo, "my bench"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    steps = "\n".join(line.strip() for line in done.stderr.splitlines())
    assert "bench'\nmake install\nuv run my-bench-runner run --dataset-name validation" in steps
    assert "runner/benchmark.py" in steps
    assert ("OPENAI_API_KEY" in steps) is needs_key
