"""The repeats of a task: each is planned, generated and evaluated by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from benchmark_runner import current_generation
from benchmark_runner._progress.events import EvaluationFinished, GenerationFinished
from benchmark_runner._run.caps import Caps
from benchmark_runner._run.generate import note_interruption
from benchmark_runner._run.plan import Reason
from benchmark_runner._run.preparation import plan_of_command
from benchmark_runner.artifacts.eval_rules import EvalRules
from benchmark_runner.base.current_journal import journal_for
from benchmark_runner.errors import RunIdentityError, RunPausedError, UsageError
from benchmark_runner.schemas import (
    EvalResult,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    Task,
    TaskRepeat,
)
from tests.fakes import FakeRunner, answer, grade, make_plan
from tests.unit._run.sessions import Bench

if TYPE_CHECKING:
    from pathlib import Path

    from benchmark_runner.artifacts.run_folder import RunArtifacts
    from tests.fakes import EngineRun

pytestmark = pytest.mark.anyio


def keys(*task_ids: str, repeats: tuple[int, ...]) -> list[TaskRepeat]:
    """Return these repeats of all tasks, the first of each at the beginning."""
    return [TaskRepeat(task_id, repeat) for repeat in repeats for task_id in task_ids]


async def numbered(task: Task) -> GenerationResult:
    """Generate an answer that names the repeat, which costs a dollar."""
    return GenerationResult(answer=f"answer {current_generation().repeat}", cost=1.0)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


class TestTheNumberOfRepeats:
    async def test_run_has_one_unless_asked(self, bench: Bench) -> None:
        """A run has one repeat unless it is asked for more; a resume keeps what it has."""
        assert (await bench.start()).config.repeats == 1
        assert (await bench.start("r2", repeats=3)).config.repeats == 3
        assert (await bench.open("r2")).config.repeats == 3

    @pytest.mark.parametrize("asked", [3, 5])
    async def test_number_can_be_raised(self, bench: Bench, asked: int) -> None:
        """The same number or a higher one resumes the run, and stays."""
        await bench.start(repeats=3)
        assert (await bench.start(repeats=asked)).config.repeats == asked
        assert (await bench.open()).config.repeats == asked
        assert (await bench.open_graded()).config.repeats == asked

    async def test_lower_number_is_refused(self, bench: Bench) -> None:
        """A lower number is refused, and changes nothing."""
        await bench.start(repeats=3)
        with pytest.raises(RunIdentityError, match="has 3 repeats of each task, not 2") as caught:
            await bench.open(repeats=2)
        assert "Leave out --repeats" in (caught.value.hint or "")
        assert (await bench.open()).config.repeats == 3

    async def test_problems_of_a_run_share_the_number(self, bench: Bench, tmp_path: Path) -> None:
        """A run of --problem has the highest number that one of its commands asked for."""
        problem = tmp_path / "problem.txt"
        problem.write_text("What?")
        options: dict[str, Any] = {"problem": problem}
        await bench.start(**options, task_ids=["t1"], repeats=2)
        late = await bench.open(**options, task_ids=["t2"])
        await bench.start(**options, task_ids=["t3"], repeats=3)
        assert late.freeze("run", {}).repeats == 3  # opened before the other one raised it
        assert [*(await bench.open(**options, task_ids=["t1"])).config.task_repeats()] == [
            TaskRepeat(task_id, repeat) for task_id in ("t1", "t3", "t2") for repeat in (1, 2, 3)
        ]


class TestThePlan:
    async def test_first_repeat_of_all_tasks_comes_first(self, bench: Bench) -> None:
        """All tasks are generated once before any is generated again."""
        session = await bench.start(repeats=3)
        plan = plan_of_command(session, make_plan(session.artifacts, session.config.tasks, 3))
        assert plan.generate == keys("b", "a", "c", repeats=(1, 2, 3))

    async def test_named_tasks_are_chosen_with_all_repeats(self, bench: Bench) -> None:
        """A command on some tasks is for all their repeats."""
        session = await bench.start(repeats=2)
        session = await bench.open(task_ids=["c", "b"])
        plan = plan_of_command(session, make_plan(session.artifacts, session.config.tasks, 2))
        assert plan.generate == keys("b", "c", repeats=(1, 2))

    async def test_raised_number_adds_repeats_only(self, run: EngineRun) -> None:
        """More repeats add what is missing, and redo nothing."""
        run.script(2, numbered)
        await run(repeats=3)
        plan = make_plan(run.artifacts, run.ids, 5)
        assert plan.generate == sorted(keys("t1", "t2", repeats=(4, 5)))
        assert (plan.evaluate, plan.done) == ([], 6)

    async def test_each_repeat_is_owed_by_itself(self, run: EngineRun) -> None:
        """A repeat whose file is missing or unreadable is owed, and no other one."""
        run.script(2, numbered)
        await run(repeats=3)
        run.artifacts.of_repeat(2).generation_path("t1").unlink()
        run.artifacts.of_repeat(3).generation_path("t1").write_text("{")
        run.artifacts.of_repeat(3).eval_path("t2").unlink()
        plan = make_plan(run.artifacts, run.ids, 3)
        assert plan.generate == [TaskRepeat("t1", 2), TaskRepeat("t1", 3)]
        assert plan.evaluate == [TaskRepeat("t2", 3)]
        assert plan.why == {
            Reason.GRADED: [TaskRepeat("t1"), TaskRepeat("t2"), TaskRepeat("t2", 2)],
            Reason.NOT_GENERATED: [TaskRepeat("t1", 2)],
            Reason.UNREADABLE: [TaskRepeat("t1", 3)],
            Reason.NOT_GRADED: [TaskRepeat("t2", 3)],
        }

    async def test_evaluation_of_another_repeat_does_not_count(self, run: EngineRun) -> None:
        """An evaluation counts for the generation of its own repeat only."""
        run.script(1, numbered)
        await run(repeats=2)
        second = run.artifacts.of_repeat(2)
        run.artifacts.eval_path("t1").write_bytes(second.eval_path("t1").read_bytes())
        assert make_plan(run.artifacts, run.ids, 2).evaluate == [TaskRepeat("t1")]

    async def test_regrade_is_of_all_repeats(self, run: EngineRun) -> None:
        """A regrade evaluates each repeat again."""
        run.script(2, numbered)
        await run(repeats=2)
        plan = make_plan(run.artifacts, run.ids, 2, regrade=Reason.REGRADE)
        assert plan.evaluate == sorted(keys("t1", "t2", repeats=(1, 2)))

    async def test_interrupted_regrade_withdraws_all_repeats(self, bench: Bench) -> None:
        """The results of a regrade that was interrupted count for no repeat."""
        session = await bench.start(repeats=2)
        for repeat in (1, 2):
            files = session.artifacts.of_repeat(repeat)
            made = files.save_generation("a", GenerationResult())
            grade = EvalResult(task_id="a", status=EvalStatus.EVALUATED, generation_hash=made)
            files.save_eval("a", grade)
        session.artifacts.eval_rules = EvalRules(withdrawn=frozenset({"a"}))
        plan = make_plan(session.artifacts, ["a"], 2)
        assert plan.evaluate == [TaskRepeat("a"), TaskRepeat("a", 2)]


class TestRerun:
    async def test_all_repeats_are_redone(self, bench: Bench) -> None:
        """--rerun redoes each repeat of a task."""
        await bench.start(repeats=2)
        session = await bench.open(rerun=["a"])
        assert session.redo == {TaskRepeat("a", n): Reason.RERUN for n in (1, 2)}

    async def test_one_repeat_is_redone(self, bench: Bench) -> None:
        """--repeat chooses one of them."""
        await bench.start(repeats=3)
        session = await bench.open(rerun=["a", "c"], repeat=2)
        assert session.redo == {TaskRepeat(each, 2): Reason.RERUN for each in ("a", "c")}

    async def test_missing_repeat_is_refused(self, bench: Bench) -> None:
        """A repeat that the run does not have is refused."""
        await bench.start(repeats=3)
        with pytest.raises(UsageError, match="there is no repeat 4: the run has 3 repeats"):
            await bench.open(rerun=["a"], repeat=4)
        assert (await bench.open(rerun=["a"], repeat=4, repeats=4)).redo

    async def test_changed_task_is_redone_with_all_repeats(self, bench: Bench) -> None:
        """A task whose content changed is redone in each repeat."""
        await bench.start(repeats=2)
        bench.write([{"id": "b", "question": "another?"}])
        session = await bench.open(accept_changed_tasks=True)
        assert session.redo == {TaskRepeat("b", n): Reason.CHANGED for n in (1, 2)}


def test_interruption_is_noted_for_the_first_repeat(artifacts: RunArtifacts) -> None:
    """An interrupted --problem without a generation has an error where it always had one."""
    task = Task(id="t1", question="q1")
    artifacts.of_repeat(2).save_generation("t1", GenerationResult(data="answer"))
    note_interruption(artifacts, task, "the-model")
    found = artifacts.load_generation("t1")
    assert found is not None
    assert found.status is GenerationStatus.ERROR
    again = artifacts.of_repeat(2).load_generation("t1")
    assert again is not None
    assert again.data == "answer"
    plan = make_plan(artifacts, ["t1"], 3)
    assert plan.generate == [TaskRepeat("t1"), TaskRepeat("t1", 3)]


class TestTheEngine:
    async def test_each_repeat_has_files_of_its_own(self, run: EngineRun) -> None:
        """Each repeat is generated, evaluated and kept by itself."""

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            found = await grade(task_id, generation)
            return found.model_copy(update={"result": generation.answer})

        run.script(2, numbered, evaluate)
        await run(repeats=3)
        for task_id, repeat in keys("t1", "t2", repeats=(1, 2, 3)):
            assert run.generation(task_id, repeat).answer == f"answer {repeat}"
            assert run.eval(task_id, repeat).result == f"answer {repeat}"
            folder = run.artifacts.of_repeat(repeat).agent_logs_dir(task_id)
            assert run.generation(task_id, repeat).log_dir == str(folder)

    async def test_events_name_the_repeat(self, run: EngineRun) -> None:
        """Each event of a repeat names it."""
        run.script(1, numbered)
        await run(repeats=2)
        for kind in (GenerationFinished, EvaluationFinished):
            named = [(each.task_id, each.repeat) for each in run.events if isinstance(each, kind)]
            assert sorted(named) == [("t1", 1), ("t1", 2)]

    async def test_error_is_of_one_repeat(self, run: EngineRun) -> None:
        """A repeat that fails leaves the others alone, and its traceback is in its own logs."""

        async def generate(task: Task) -> GenerationResult:
            if current_generation().repeat == 2:
                raise ValueError("not this time")
            return await answer(task)

        run.script(1, generate)
        await run(repeats=3)
        statuses = [run.generation("t1", repeat).status for repeat in (1, 2, 3)]
        ok, error = GenerationStatus.SUCCESS, GenerationStatus.ERROR
        assert statuses == [ok, error, ok]
        assert "not this time" in run.log("t1", repeat=2)
        assert run.eval("t1", 2).status is EvalStatus.GENERATION_ERROR

    async def test_evaluation_resumes_from_its_own_state(self, run: EngineRun) -> None:
        """The state of an evaluation over the WebSocket is kept for each repeat."""
        found: list[tuple[str, Any]] = []

        async def evaluate(task_id: str, generation: GenerationResult) -> EvalResult:
            journal = journal_for(task_id, generation.data)
            state: dict[str, Any] = {"step": generation.data}
            found.append((generation.data, await journal.load()))
            if found[-1][1] is None:
                await journal.save(state)
                raise ValueError("the judge went away")
            return await grade(task_id, generation)

        class OverWebSocket(FakeRunner):
            EVALUATION_API = "websocket"

        run.script(1)
        run.use(OverWebSocket("http://127.0.0.1:9", generate=numbered, evaluate=evaluate))
        await run(repeats=2)
        for repeat in (1, 2):
            assert run.artifacts.of_repeat(repeat).eval_state_path("t1").exists()
        await run(repeats=2)
        answers = [f"answer {repeat}" for repeat in (1, 2)]
        assert sorted(found[:2]) == [(answer, None) for answer in answers]
        assert sorted(found[2:]) == [(answer, {"step": answer}) for answer in answers]
        for repeat in (1, 2):
            assert not run.artifacts.of_repeat(repeat).eval_state_path("t1").exists()

    @pytest.mark.parametrize("caps", [Caps(max_cost=4), Caps(max_errors=4)])
    async def test_caps_count_generations(self, run: EngineRun, caps: Caps) -> None:
        """The caps count each repeat."""

        async def generate(task: Task) -> GenerationResult:
            if caps.max_errors is not None:
                raise ValueError(f"{task.id} {current_generation().repeat}")
            return await numbered(task)

        run.script(2, generate)
        stopped = await run(repeats=3, parallelism=1, caps=caps)
        assert isinstance(stopped, RunPausedError)
        assert len(run.runner.generated) == 4
