"""The reports of known agents about themselves: answer, tokens, cost and turns.

Formats, as of the versions of 2026: the result object of Claude Code (``--output-format json`` or
``stream-json``), the events of Codex (``exec --json``), the trajectory of mini-swe-agent. What an
agent does not tell stays unknown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from benchmark_runner._json import read_cut_json
from benchmark_runner._spend import known_amount, known_count
from benchmark_runner.command_agent.answer import content_of
from benchmark_runner.schemas import GenerationStatus, TokenUsage
from benchmark_runner.trajectory.atif import Metrics
from benchmark_runner.trajectory.files import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pydantic import JsonValue

    from benchmark_runner.command_agent.output_log import OutputLog

__all__ = ["OutputFormat", "Report", "report_of"]

#: The kinds of output: plain text, or the JSON of an agent that is known.
OutputFormat = Literal["text", "claude-code", "codex", "mini-swe-agent"]

Fields = dict[str, "JsonValue"]

#: Bytes of a line; a longer one is passed over.
_LONGEST_LINE = 16 * 1024**2
_STATUSES = {
    "error_max_turns": GenerationStatus.MAX_TURNS,
    "LimitsExceeded": GenerationStatus.MAX_TURNS,
    "TimeExceeded": GenerationStatus.MAX_TIME,
}


@dataclass(slots=True)
class Report:
    """The report of an agent on its work; ``None`` for what it does not tell.

    Attributes:
        answer: The answer.
        status: The outcome, where the agent reached a limit of its own.
        error: The reason for which it failed.
        stop_reason: Its word for why it stopped.
        usage: Tokens by class.
        cost: US dollars.
        turns: The number of calls of the model.
    """

    answer: str | None = None
    status: GenerationStatus | None = None
    error: str | None = None
    stop_reason: str | None = None
    usage: TokenUsage | None = None
    cost: float | None = None
    turns: int | None = None


def report_of(output: OutputFormat, stdout: OutputLog, report_file: Path | None) -> Report:
    """Return the report in standard output, or in the file that the agent wrote for it, if any."""
    if output == "claude-code":
        return _of_claude(_json_lines(stdout))
    if output == "codex":
        return _of_codex(_json_lines(stdout))
    if output == "mini-swe-agent" and report_file is not None:
        return _of_mini(report_file)
    return Report()


def _of_claude(lines: Iterable[Fields]) -> Report:
    found: Fields = {}
    for line in lines:
        if line.get("type") == "result":
            found = line
    usage, subtype = _fields(found.get("usage")), _text(found.get("subtype"))
    answer = _text(found.get("result"))
    status = _STATUSES.get(subtype or "")
    failed = status is None and (
        found.get("is_error") is True or (subtype or "").startswith("error")
    )
    errors = found.get("errors")
    reasons = [str(each) for each in errors] if isinstance(errors, list) else []
    return Report(
        answer=None if failed else answer,
        status=status,
        error="; ".join(reasons) or answer or subtype if failed else None,
        stop_reason=subtype if subtype != "success" else _text(found.get("stop_reason")),
        usage=_usage(
            input=usage.get("input_tokens"),
            output=usage.get("output_tokens"),
            cache_read=usage.get("cache_read_input_tokens"),
            cache_write=usage.get("cache_creation_input_tokens"),
        ),
        cost=_amount(found.get("total_cost_usd")),
        turns=_count(found.get("num_turns")),
    )


def _of_codex(lines: Iterable[Fields]) -> Report:
    report = Report()
    for line in lines:
        kind, item = line.get("type"), _fields(line.get("item"))
        if kind == "item.completed" and item.get("type") == "agent_message":
            report.answer = _text(item.get("text")) or report.answer
        elif kind == "turn.completed":  # its numbers are those of the whole session so far
            usage = _fields(line.get("usage"))
            report.usage = _of_openai(
                usage.get("input_tokens"),
                usage.get("output_tokens"),
                usage.get("cached_input_tokens"),
                usage.get("reasoning_output_tokens"),
            )
            report.error = None
        elif kind == "turn.failed":
            report.error = _text(_fields(line.get("error")).get("message")) or "the turn failed"
        elif kind == "error":
            report.error = _text(line.get("message")) or report.error
    return report


def _of_mini(path: Path) -> Report:
    try:
        raw, _ = read_cut_json(content_of(path, MOST_BYTES))
    except (OSError, ValueError):
        return Report()
    info = _fields(_fields(raw).get("info"))
    stats, status = _fields(info.get("model_stats")), _text(info.get("exit_status"))
    return Report(
        answer=_text(info.get("submission")),
        status=_STATUSES.get(status or ""),
        stop_reason=status,
        usage=_sum_of([*_usages_of_mini(_fields(raw).get("messages"))]),
        cost=_amount(stats.get("instance_cost")),
        turns=_count(stats.get("api_calls")),
    )


def _usages_of_mini(messages: JsonValue) -> Iterator[TokenUsage]:
    for message in messages if isinstance(messages, list) else ():
        response = _fields(_fields(_fields(message).get("extra")).get("response"))
        if usage := _fields(response.get("usage")):
            inputs = _fields(usage.get("prompt_tokens_details"))
            outputs = _fields(usage.get("completion_tokens_details"))
            yield _of_openai(
                usage.get("prompt_tokens"),
                usage.get("completion_tokens"),
                inputs.get("cached_tokens"),
                outputs.get("reasoning_tokens"),
            )


def _of_openai(
    prompt: JsonValue, completion: JsonValue, cached: JsonValue, reasoning: JsonValue
) -> TokenUsage:
    """Return tokens by class, of numbers that include one another."""
    thought = _count(reasoning)
    return Metrics(
        prompt_tokens=_count(prompt),
        completion_tokens=_count(completion),
        cached_tokens=_count(cached),
        extra=None if thought is None else {"reasoning_tokens": thought},
    ).usage()


def _sum_of(usages: list[TokenUsage]) -> TokenUsage | None:
    if not usages:
        return None
    sums: dict[str, int | None] = {}
    for name in TokenUsage.model_fields:
        counts = [cast("int | None", getattr(each, name)) for each in usages]
        known = [count for count in counts if count is not None]
        sums[name] = sum(known) if len(known) == len(counts) else None
    return TokenUsage.model_validate(sums)


def _json_lines(log: OutputLog) -> Iterator[Fields]:
    """Yield the objects in lines of JSON, also those in a list, and pass over anything else."""
    with log.open() as file:
        while line := file.readline(_LONGEST_LINE):
            if line.lstrip()[:1] not in (b"{", b"["):
                continue
            try:
                found: JsonValue = json.loads(line)
            except (ValueError, RecursionError):
                continue
            for each in found if isinstance(found, list) else [found]:
                if isinstance(each, dict):
                    yield each


def _usage(**counts: JsonValue) -> TokenUsage | None:
    known = {name: _count(count) for name, count in counts.items()}
    return TokenUsage.model_validate(known) if any(n is not None for n in known.values()) else None


def _fields(value: JsonValue) -> Fields:
    return value if isinstance(value, dict) else {}


def _text(value: JsonValue) -> str | None:
    return value.strip() if isinstance(value, str) else None


def _count(value: JsonValue) -> int | None:
    return known_count(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _amount(value: JsonValue) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return known_amount(value)
