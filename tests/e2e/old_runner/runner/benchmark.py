"""RomanBench benchmark adapter."""

import json
from pathlib import Path

from benchmark_runner import (
    BenchmarkRunner,
    EvalResult,
    EvalResultData,
    EvalStatus,
    GenerationResult,
    GenerationStatus,
    Task,
)
from model_library.base import LLMConfig, SystemInput, TextInput
from model_library.registry_utils import get_registry_model

from .numerals import answer

DEFAULT_DATASET_FILE = str(Path(__file__).parent.parent / "data" / "dataset.json")
SYSTEM_PROMPT = (Path(__file__).parent / "prompts" / "system.txt").read_text().strip()


class RomanTask(Task):
    era: str = "classical"


class RomanBenchRunner(BenchmarkRunner):
    NAME = "roman-bench"
    PAYLOAD_TYPE = "text"
    PAYLOAD_SCHEMA_VERSION = 2
    GENERATION_VERSION_ENV = "ROMAN_BENCH_GENERATION_VERSION"

    def load_tasks(self, dataset_file: str | None) -> list[Task]:
        with open(dataset_file or DEFAULT_DATASET_FILE) as f:
            data = json.load(f)
        self._dataset = data.get("dataset_name")
        return [RomanTask(id=raw["id"], question=raw["question"], era=raw["era"]) for raw in data.get("tests", [])]

    async def generate(
        self,
        task: Task,
        model: str,
        llm_config: LLMConfig | None = None,
        log_dir: Path | None = None,
    ) -> GenerationResult:
        if model == "baseline":
            data, turns = answer(task.question) or "", 0
        else:
            llm = get_registry_model(model, llm_config)
            reply = await llm.query([SystemInput(text=SYSTEM_PROMPT), TextInput(text=task.question)])
            data, turns = reply.output_text_str, 1
        if log_dir is not None:
            log_dir.mkdir(parents=True, exist_ok=True)
            (log_dir / "prompt.txt").write_text(f"{SYSTEM_PROMPT}\n{task.question}\n")
        return GenerationResult(
            task_id=task.id,
            status=GenerationStatus.SUCCESS if data else GenerationStatus.MAX_TURNS,
            data=data,
            question=task.question,
            model=model,
            total_turns=turns,
            log_dir=str(log_dir),
        )

    async def evaluate(self, task_id: str, generation: GenerationResult) -> EvalResult:
        if generation.status != GenerationStatus.SUCCESS:
            return await super().evaluate(task_id, generation)
        async with self._eval_sem:
            raw = await self._client.evaluate_response(
                task_id=task_id, response=generation.answer.strip(), dataset=self._dataset
            )
        return EvalResult(task_id=task_id, status=EvalStatus.EVALUATED, result=EvalResultData.model_validate(raw))
