"""A run stays on one version of the service's dataset, where the service keeps several."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.cli.versioned_service import HEADER, UNVERSIONED, VersionedService

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from tests.cli.conftest import Ended, RunnerProject

LISTED = ("--dataset-name", "validation")


pytestmark = pytest.mark.sampled(2)


@dataclass(frozen=True)
class VersionedRun:
    """A project, and a service with three versions of its dataset, where its runs are graded."""

    project: RunnerProject
    service: VersionedService
    source: tuple[str, ...]

    def __call__(self, command: str = "run", *flags: str, run_id: str = "r1") -> Ended:
        at = ("--run-id", run_id, "--service-url", self.service.url)
        return self.project.run(command, *at, *flags)

    def start(self, *flags: str, run_id: str = "r1") -> Ended:
        """Run the tasks of the source."""
        return self("run", *self.source, *flags, run_id=run_id)

    @property
    def recorded(self) -> tuple[str, str]:
        """The id and the label of the version that the run is of."""
        config = self.project.read("r1", "run_config.json")
        return config["dataset_version_id"], config["dataset_version"]


@pytest.fixture
def source() -> tuple[str, ...]:
    """The flags that say where the tasks come from."""
    return LISTED


@pytest.fixture(params=["legacy", "v1"])
def run(
    project: RunnerProject,
    serve_app: Callable[[ASGIApp], str],
    source: tuple[str, ...],
    request: pytest.FixtureRequest,
) -> VersionedRun:
    """Runs that are graded by either API."""
    service = VersionedService(reads="envelope")
    service.url = serve_app(service.app())
    project.set_in_class(f'EVALUATION_API = "{request.param}"')
    project.write_tasks([{"id": f"t{number}", "question": f"say {number}"} for number in range(6)])
    return VersionedRun(project, service, source)


@pytest.mark.parametrize("source", [LISTED, ()])
class TestPinned:
    def test_default_is_pinned(self, run: VersionedRun) -> None:
        """A run is of the service's default version, which all its requests name."""
        ended = run.start()
        assert ended.code == 0, ended.err
        assert run.recorded == ("v-12", "1.2.0")
        assert run.service.asked_for == {"v-12"}
        assert run.service.selectors == [None]
        assert all(HEADER not in sent for path, sent in run.service.headers if path in UNVERSIONED)
        assert run.project.read("r1", "t0", "eval.json")["dataset_version"] == "1.2.0"
        assert run.project.read("r1", "final_score.json")["dataset_version"] == "1.2.0"

    def test_choice_is_kept(self, run: VersionedRun) -> None:
        """A chosen version stays that of the run, when the service moves and in all commands."""
        run.service.failing = {"t3"}
        assert run.start("--dataset-version", "1").code == 1
        assert run.recorded == ("v-12", "1.2.0")
        run.service.failing, run.service.default = set(), "2.0.0"
        run.service.versions["1.3.0"] = "v-13"
        for command in (
            ["run"],
            ["run", "--dataset-version", "1"],  # as it was typed before
            ["run", "--dataset-version", "1.2.0"],
            ["run", "--dataset-version", "v-12"],
            ["run", "--dataset-version", "1.2"],
            ["evaluate", "--regrade"],
            ["score", "--force"],
        ):
            ended = run(*command)
            assert ended.code == 0, (command, ended.err)
            assert run.service.asked_for == {"v-12"}, command
            assert run.recorded == ("v-12", "1.2.0")
        assert run.service.selectors == ["1", "1.2"]
        assert len(run.project.calls) == 6

    def test_other_choice_is_refused(self, run: VersionedRun) -> None:
        """Another version is refused on a resume, before anything is evaluated."""
        run.service.failing = {"t3"}
        run.start()
        run.service.failing = set()
        run.service.forget()
        ended = run("run", "--dataset-version", "1.1")
        assert ended.code == 2
        assert "was started with version 1.2.0 of its dataset, not with version 1.1.0" in ended.err
        assert "--dataset-version" in ended.err
        assert run.service.asked_for <= {None}
        assert not {"/evaluate-response/", "/v1/evaluate"}.intersection(run.service.paths())

    @pytest.mark.sampled(3)
    @pytest.mark.parametrize("status", [400, 404, 409, 503])
    def test_unresolved_version_stops(self, run: VersionedRun, status: int) -> None:
        """A version that the service does not name stops the run before anything is generated."""
        run.service.answers["/resolve-dataset"] = (status, {"detail": "no version today"})
        for flags in ((), ("--dataset-version", "1.2")):
            ended = run.start(*flags, "--service-attempts", "1")
            assert ended.code == 1
            assert "no version today" in ended.err
        assert run.project.calls == []
        assert not run.project.results.exists()

    def test_choice_needs_a_service_with_versions(self, run: VersionedRun) -> None:
        """A choice that the service can't offer is refused; without one, the run is of none."""
        run.service.answers["/version"] = (200, {"dataset_version": "1.2.0"})
        ended = run.start("--dataset-version", "1.2")
        assert ended.code == 1
        assert "of dataset 'validation' at " in ended.err
        assert run.project.calls == []
        assert run.start().code == 0
        assert run.project.read("r1", "run_config.json")["dataset_version_id"] is None
        assert run.service.asked_for == {None}

    @pytest.mark.sampled(3)
    @pytest.mark.parametrize("status", [503, 500, 404])
    def test_service_that_is_down_may_keep_versions(self, run: VersionedRun, status: int) -> None:
        """A run begins without a version only where the service has none to tell of."""
        run.service.answers["/version"] = (status, {"detail": "not now"})
        ended = run.start("--service-attempts", "1")
        assert ended.code == (1 if status == 503 else 0), ended.err
        assert (run.project.calls == []) is (status == 503)

    def test_lost_echo_stops_before_generations(self, run: VersionedRun) -> None:
        """A service whose answers do not name their version is refused at once."""
        run.service.echoes = False
        ended = run.start()
        assert ended.code == 1
        assert "does not say which version of the dataset" in ended.err
        assert run.project.calls == []

    def test_removed_version_stops_a_resume(self, run: VersionedRun) -> None:
        """A resume stops at once where the service no longer has the version."""
        run.service.failing = {"t3"}
        run.start()
        run.service.failing = set()
        del run.service.versions["1.2.0"]
        run.service.default = "2.0.0"
        ended = run("run")
        assert ended.code == 1
        assert "Dataset version not found: v-12" in ended.err
        assert "Restore version 1.2.0 of the dataset" in ended.err
        assert "v-20" not in run.service.asked_for


def test_run_without_version_stays_so(run: VersionedRun) -> None:
    """A run that has grades of no version in particular goes on like that, and can't choose."""
    run.service.failing = {"t3"}
    run.start()
    file = run.project.results / "r1" / "run_config.json"
    config = json.loads(file.read_text())
    config |= {"dataset_version_id": None, "dataset_version_selector": None}
    file.write_text(json.dumps(config))
    run.service.failing = set()
    run.service.forget()
    ended = run("run", "--dataset-version", "1.2")
    assert ended.code == 2
    assert "was started without a choice of a version of its dataset" in ended.err
    assert run("run").code == 0
    assert run.service.asked_for == {None}


def test_evaluation_later_pins(run: VersionedRun) -> None:
    """A run of a file without evaluations is pinned when it is evaluated first."""
    assert run("run", "--skip-eval").code == 0
    assert run.service.asked == []
    ended = run("run", "--skip-eval", "--dataset-version", "1.2", run_id="r2")
    assert ended.code == 2
    assert "--skip-eval" in ended.err
    assert len(run.project.calls) == 6
    assert run("evaluate").code == 0
    assert run.recorded == ("v-12", "1.2.0")
    assert run.service.asked_for == {"v-12"}


def test_listed_tasks_are_pinned_without_evaluations(run: VersionedRun) -> None:
    """With --skip-eval, the tasks that the service lists are those of the version."""
    assert run.start("--skip-eval", "--dataset-version", "1.1").code == 0
    assert run.recorded == ("v-11", "1.1.0")
    run.service.default = "2.0.0"
    assert run("evaluate").code == 0
    assert run.service.asked_for == {"v-11"}


def test_version_without_label_is_shown_by_its_id(run: VersionedRun) -> None:
    """A version without a label is shown by its id."""
    run.service.answers["/resolve-dataset"] = (200, {"version": {"id": "v-12", "label": None}})
    ended = run.start()
    assert ended.code == 0
    assert "Dataset  validation v-12\n" in ended.out
    assert run("run", "--dataset-version", "v-12").code == 0


def test_dry_run_names_the_version(run: VersionedRun) -> None:
    """A plan is made for the version that the run would be of, and nothing is written."""
    assert run.start("--dry-run", "--dataset-version", "1.1").code == 0
    assert run.service.asked_for == {"v-11"}
    assert not run.project.results.exists()


def test_other_major_is_not_compared(run: VersionedRun) -> None:
    """Runs of another major version are not comparable; another minor one is a warning."""
    for run_id, version in (("r1", "1.1"), ("r2", "1.2"), ("r3", "2.0")):
        run.start("--dataset-version", version, run_id=run_id)
    other = run.project.run("compare", "r1", "r3", "--json").json
    assert other["verdict"] == "not_comparable"
    (obstacle,) = other["obstacles"]
    assert obstacle["text"] == "A was evaluated with dataset version 1.1.0, B with 2.0.0"
    assert obstacle["way_out"] is None
    near = run.project.run("compare", "r1", "r2", "--json").json
    assert near["verdict"] != "not_comparable"
    texts = [each["text"] for each in near["warnings"]]
    assert "A was evaluated with dataset version 1.1.0, B with 1.2.0" in texts
    assert run.service.asked_for == {"v-11", "v-12", "v-20"}
    run.service.versions["1.2.0"] = "v-12-again"
    run.start("--dataset-version", "1.2", run_id="r4")
    texts = run.project.run("compare", "r2", "r4").out
    assert "two versions called 1.2.0" in texts


def test_label_is_shown(run: VersionedRun) -> None:
    """Whatever shows a run shows the label of its version."""
    run("run", "--dataset-version", "1.1", run_id="r2")
    ended = run("run", "--dataset-version", "1.1")
    assert "Dataset  validation 1.1.0\n" in ended.out
    page = run.project.root / "report.html"
    assert run.project.run("report", "r1", "--output", page).code == 0
    assert "1.1.0" in page.read_text()
    assert "v-11" in page.read_text()
    assert "--dataset-version 1.1.0" in page.read_text()  # to reproduce it
    assert "dataset  validation 1.1.0\n" in run("run", "--dry-run").out
    for command in (["status", "r1"], ["show", "r1", "t0"], ["runs"], ["compare", "r1", "r2"]):
        assert "1.1.0" in run.project.run(*command).out, command
    for command in (["runs", "--json"], ["status", "r1", "--json"], ["export", "r1"]):
        assert "1.1.0" in run.project.run(*command).out, command
    shown = run("run", "--json").json
    assert (shown["dataset_version"], shown["dataset_version_id"]) == ("1.1.0", "v-11")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--problem", "q.txt", "t1"), "--problem and --dataset-version exclude each other"),
        (("--service-url", "local"), "or use --dataset-name with a dataset"),
        (("--dataset-version", " "), "--dataset-version is empty"),
    ],
)
def test_impossible_choice_is_refused(
    project: RunnerProject, flags: tuple[str, ...], message: str
) -> None:
    """A choice that can't be made is refused before anything is generated."""
    ended = project.run("run", "--dataset-version", "1.2", *flags)
    assert ended.code in (1, 2)
    assert message in ended.err
    assert project.calls == []


def test_other_version_of_the_embedded_service(project: RunnerProject) -> None:
    """A run of a version that is not the embedded service's default one can be resumed."""
    project.write_tasks([{"id": "t1", "question": "say x", "answer": "x"}])
    versioned = project.dataset.with_name("validation@1.2.json")
    rows = [{"id": f"t{n}", "question": "say x", "answer": "x"} for n in range(3)]
    versioned.write_text(json.dumps({"dataset_name": "validation", "tests": rows}))
    arguments = ("run", "--run-id", "r1", *LISTED, "--dataset-version", "1.2")
    assert project.run(*arguments, "t1", "--service-url", "local").code == 0
    ended = project.run(*arguments, "--service-url", "local")
    assert ended.code == 0, ended.err
    assert sorted(project.calls) == ["t0", "t1", "t2"]


class TestAnotherService:
    @pytest.fixture
    def other(self, serve_app: Callable[[ASGIApp], str]) -> VersionedService:
        """Another service, with ids of its own for the same versions."""
        other = VersionedService(reads="envelope", default="2.0.0")
        other.versions = {"1.2.0": "w-12", "2.0.0": "w-20"}
        other.url = serve_app(other.app())
        return other

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("source", [LISTED, ()])
    def test_version_of_the_same_label_is_used(
        self, other: VersionedService, run: VersionedRun
    ) -> None:
        """At another service, a run is evaluated again in the version of the same label."""
        assert run.start().code == 0
        flags = ("evaluate", "--run-id", "r1", "--service-url", other.url)
        assert run.project.run(*flags).code == 2  # one score can't mix both
        assert run.recorded == ("v-12", "1.2.0")
        ended = run.project.run(*flags, "--regrade")
        assert ended.code == 0, ended.err
        assert other.asked_for == {"w-12"}
        assert run.recorded == ("w-12", "1.2.0")
        assert len(run.project.calls) == 6

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("source", [LISTED, ()])
    def test_missing_label_is_an_error(self, other: VersionedService, run: VersionedRun) -> None:
        """A service without the version of that label evaluates nothing of the run."""
        run.start()
        del other.versions["1.2.0"]
        ended = run.project.run(
            "evaluate", "--regrade", "--run-id", "r1", "--service-url", other.url
        )
        assert ended.code == 1
        assert "Dataset version not found: 1.2.0" in ended.err
        assert "Restore version 1.2.0 of the dataset at the service, as it was" in ended.err
        assert run.recorded == ("v-12", "1.2.0")
        assert other.asked_for == set()
