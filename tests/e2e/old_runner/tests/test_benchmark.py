import pytest
from benchmark_runner import GenerationStatus

from runner.benchmark import RomanBenchRunner, RomanTask
from runner.numerals import convert


def test_load_tasks(runner: RomanBenchRunner):
    tasks = runner.load_tasks(None)
    assert [task.id for task in tasks][:2] == ["write-year", "read-clock"]
    assert runner.payload_schema == "roman-bench.text.v2"


async def test_generate(runner: RomanBenchRunner, tmp_path):
    task = RomanTask(id="t", question="How do you write 14?")
    result = await runner.generate(task, model="baseline", log_dir=tmp_path / "agent_logs")
    assert (result.status, result.answer) == (GenerationStatus.SUCCESS, "XIV")
    assert "14" in (tmp_path / "agent_logs" / "prompt.txt").read_text()


@pytest.mark.parametrize(("given", "expected"), [("14", "XIV"), ("xiv", "14"), ("XXXX", None)])
def test_convert(given, expected):
    assert convert(given) == expected
