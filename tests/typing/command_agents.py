"""Agents that are programs, as an author's code runs them; checked by pyright, never run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import assert_type

from benchmark_runner import GenerationResult, run_command_agent
from benchmark_runner.command_agent import CommandError, OutputFormat

COMMAND = [Path(sys.executable), "-m", "agent", "--model={model}", "{question_file}"]
OUTPUT: OutputFormat = "codex"


async def of_every_kind(log_dir: Path | None) -> GenerationResult:
    result = await run_command_agent(
        COMMAND,
        "Why?",
        model="m",
        log_dir=log_dir,
        workspace=Path("work"),
        values={"size": "1", "place": Path("a")},
        keys=["OPENAI_API_KEY"],
        environment={"A": "b"},
        answer_file="out.txt",
        output=OUTPUT,
        timeout=1,
        grace=0.5,
        check=False,
    )
    return assert_type(result, GenerationResult)


async def of_texts() -> None:
    try:
        await run_command_agent(("agent", "{question}"), "Why?", output="claude-code")
    except CommandError as error:
        assert_type(error.result, GenerationResult)
        assert_type(error.returncode, int | None)
    await run_command_agent(["agent"], "Why?", output="other")  # pyright: ignore[reportArgumentType]
