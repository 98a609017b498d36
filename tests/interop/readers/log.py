"""Prints what Inspect reads from logs."""

import json
import sys
from collections import Counter

from inspect_ai.event import timeline_build
from inspect_ai.log import EvalLog, EvalSample, read_eval_log, read_eval_log_sample_summaries


def sample_facts(sample: EvalSample) -> dict[str, object]:
    """Return facts about a sample, as a program gets them."""
    scores = {name: score.model_dump() for name, score in (sample.scores or {}).items()}
    return {
        "id": sample.id,
        "epoch": sample.epoch,
        "input": sample.input,
        "target": sample.target,
        "scores": scores,
        "error": sample.error and sample.error.message,
        "traceback": sample.error and sample.error.traceback,
        "retries": [retry.message for retry in sample.error_retries or ()],
        "limit": sample.limit and [sample.limit.type, sample.limit.limit],
        "completion": sample.output.completion,
        "usage": {name: each.model_dump() for name, each in sample.model_usage.items()},
        "turns": sample.turn_count,
        "times": [sample.started_at, sample.completed_at, sample.total_time],
        "roles": [message.role for message in sample.messages],
        "texts": [message.text for message in sample.messages],
        "errors": [
            message.error.message
            for message in sample.messages
            if message.role == "tool" and message.error
        ],
        "events": Counter(event.event for event in sample.events),
        "calls": [
            [event.function, event.result, event.error and event.error.message, event.agent]
            for event in sample.events
            if event.event == "tool"
        ],
        "inputs": [len(event.input) for event in sample.events if event.event == "model"],
        "outputs": [event.output.completion for event in sample.events if event.event == "model"],
        "notes": [event.data for event in sample.events if event.event == "info"],
        "agents": sorted(agents(timeline_build(sample.events).root)),
    }


def agents(span: object) -> list[str]:
    """Return the names of the agents in a span, the span included."""
    inner = getattr(span, "content", [])
    own = [span.name] if getattr(span, "span_type", None) == "agent" else []
    return own + [name for each in inner for name in agents(each)]


def results_of(log: EvalLog) -> object:
    """Return the results of a log."""
    return log.results and log.results.model_dump()


def log_facts(file: str) -> dict[str, object]:
    """Return facts about a log: the whole of it, its header alone, and its summaries."""
    header = read_eval_log(file, header_only=True)
    log = read_eval_log(file, resolve_attachments=True)
    summaries = read_eval_log_sample_summaries(file)
    return {
        "status": [header.status, log.status],
        "eval": log.eval.model_dump(),
        "stats": log.stats.model_dump(),
        "results": [results_of(header), results_of(log)],
        "reductions": [each.model_dump() for each in log.reductions or ()],
        "samples": [sample_facts(sample) for sample in log.samples or ()],
        "summaries": [[each.id, each.epoch, each.error, each.limit] for each in summaries],
    }


sys.stdout.write(json.dumps([log_facts(file) for file in sys.argv[1:]], default=str))
