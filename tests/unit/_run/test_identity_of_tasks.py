"""Changed tasks of a run, and the hashes that show them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import benchmark_runner
from benchmark_runner._run.identity import (
    refuse_changed_tasks,
    task_changes,
)
from benchmark_runner._run.task_content import task_hash
from benchmark_runner.checkpoint import RunConfig
from benchmark_runner.errors import RunIdentityError
from benchmark_runner.schemas import Task
from tests.unit.frozen_tasks import frozen, task

if TYPE_CHECKING:
    from collections.abc import Sequence


def check_same_tasks(config: RunConfig, tasks: Sequence[Task], *, complete: bool = True) -> None:
    refuse_changed_tasks(config, task_changes(config, tasks, complete=complete))


class TestTasks:
    tasks = (task("z", level=1), task("a"), task("m"))

    def test_same_tasks_resume(self) -> None:
        """The same tasks resume the run."""
        check_same_tasks(frozen(*self.tasks), self.tasks)

    @pytest.mark.parametrize(
        ("now", "text"),
        [
            ([task("z", level=2), task("a"), task("m")], "1 changed (z)"),
            ([task("z", level=1), task("a", question="other?"), task("m")], "1 changed (a)"),
            ([task("z", level=1), task("a", new=1), task("m")], "1 changed (a)"),
            ([task("z", level=1), task("a"), task("m"), task("b")], "1 added (b)"),
            ([task("z", level=1), task("m")], "1 removed (a)"),
        ],
    )
    def test_changed_tasks_are_refused_by_id(self, now: list[Task], text: str) -> None:
        """A changed, added or removed task is refused by its id."""
        with pytest.raises(RunIdentityError) as caught:
            check_same_tasks(frozen(*self.tasks), now)

        assert text in caught.value.message
        assert "--run-id" in str(caught.value.hint)

    def test_all_changes_are_listed_at_once(self) -> None:
        """Changed, added and removed tasks are listed in one error."""
        with pytest.raises(RunIdentityError) as caught:
            check_same_tasks(frozen(*self.tasks), [task("z"), task("m"), task("b"), task("c")])

        assert "1 changed (z); 2 added (b, c); 1 removed (a)" in caught.value.message

    def test_order_is_no_change(self) -> None:
        """Another order of the tasks is no change."""
        assert not task_changes(frozen(*self.tasks), self.tasks)
        assert not task_changes(frozen(*self.tasks), self.tasks[::-1])
        assert task_changes(frozen(*self.tasks), self.tasks[1:])

    @pytest.mark.parametrize("moved", [True, False])
    def test_other_file_is_named_with_the_first(self, tmp_path: Path, moved: bool) -> None:
        """Changed tasks in another file are refused with both files."""
        before = tmp_path / "before.json"
        now = tmp_path / "now.json" if moved else before
        config = frozen(*self.tasks, dataset_file=str(before))

        with pytest.raises(RunIdentityError) as caught:
            refuse_changed_tasks(config, task_changes(config, self.tasks[1:]), now)

        said = f"; --dataset-file was {before}, now {now}"
        assert (said in caught.value.message) is moved

    def test_same_tasks_in_another_file_resume(self, tmp_path: Path) -> None:
        """The same tasks in another file resume the run."""
        config = frozen(*self.tasks, dataset_file="/before.json")

        refuse_changed_tasks(config, task_changes(config, self.tasks), tmp_path / "now.json")

    def test_many_changed_tasks_are_counted(self) -> None:
        """Of many changed tasks a few are named and all are counted."""
        added = [task(f"t{index}") for index in range(100)]

        with pytest.raises(RunIdentityError) as caught:
            check_same_tasks(frozen(*self.tasks), [*self.tasks, *added])

        assert "100 added (t0, t1, " in caught.value.message
        assert "t50" not in caught.value.message

    @pytest.mark.parametrize(("before", "now"), [(None, 5), (5, None), (5, 50)])
    def test_time_limit_of_a_task_is_no_change(
        self, before: float | None, now: float | None
    ) -> None:
        """The time limit of a task is not part of the run."""
        check_same_tasks(frozen(task("t1", timeout=before)), [task("t1", timeout=now)])

    def test_problem_is_compared_alone(self) -> None:
        """One problem of many is compared alone."""
        config = frozen(task("t1"), task("t2"), task_source="problem")

        check_same_tasks(config, [task("t1")], complete=False)
        check_same_tasks(config, [task("t3")], complete=False)
        with pytest.raises(RunIdentityError, match=r"1 changed \(t2\)"):
            check_same_tasks(config, [task("t2", question="other?")], complete=False)

    def test_run_without_hashes_compares_ids(self) -> None:
        """A run without task hashes is compared by its task ids."""
        config = frozen(task("t1"), task_hashes={})

        check_same_tasks(config, [task("t1", question="other?")])
        with pytest.raises(RunIdentityError, match="1 removed"):
            check_same_tasks(config, [])

    def test_hash_depends_on_types_not_on_the_class(self) -> None:
        """The hash depends on the types of values and not on the task class."""

        class Levelled(Task):
            level: int

        fields = {"id": "t1", "question": "q"}

        assert task_hash(task("t1", level=1)) != task_hash(task("t1", level="1"))
        assert task_hash(Levelled.model_validate({**fields, "level": 1})) == task_hash(
            Task.model_validate({**fields, "level": 1})
        )

    def test_question_that_is_not_unicode_has_a_hash(self) -> None:
        """A question that is not valid Unicode has a hash."""
        assert len(task_hash(Task(id="t1", question="half a pair: \ud83d"))) == 64


INNER_SETS = """\
from benchmark_runner._run.task_content import task_hash
from benchmark_runner.schemas import Task


class Grouped(Task):
    groups: dict[str, set[str]]


print(task_hash(Grouped(id="t1", question="?", groups={"x": {"alpha", "beta", "gamma"}})))
"""

SETS = """\
from benchmark_runner._run.task_content import task_hash
from benchmark_runner.schemas import Task


class Tagged(Task):
    tags: set[str]
    more: dict[str, frozenset[str]] = {}
    kept: list[str] = []


tags = {"alpha", "beta", "gamma", "delta"}
print(task_hash(Tagged(id="t1", question="?", tags=tags)))
print(task_hash(Tagged(id="t1", question="?", tags=tags, more={"x": frozenset(tags)})))
print(task_hash(Tagged(id="t1", question="?", tags=tags - {"beta"})))
print(task_hash(Tagged(id="t1", question="?", tags=tags, kept=["a", "b"])))
print(task_hash(Tagged(id="t1", question="?", tags=tags, kept=["b", "a"])))
"""


class TestHashes:
    def printed(self, code: str, seed: str) -> list[str]:
        source = str(Path(benchmark_runner.__file__).parents[1])
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": source, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    def test_set_has_a_stable_hash(self) -> None:
        """A set in a task has the same hash in every process."""
        hashes = self.printed(SETS, "0")
        assert hashes == self.printed(SETS, "1")
        assert len({*hashes}) == 5

    def test_nested_set_has_a_stable_hash(self) -> None:
        """A set inside another field has the same hash in every process."""
        assert self.printed(INNER_SETS, "0") == self.printed(INNER_SETS, "1")

    def test_time_limit_is_not_in_the_hash(self) -> None:
        """The time limit is not part of the hash."""
        assert task_hash(task("t1", timeout=5)) == task_hash(task("t1"))
        assert task_hash(task("t1", level=5)) != task_hash(task("t1"))
