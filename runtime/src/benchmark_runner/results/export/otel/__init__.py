"""A run as a trace of OpenTelemetry, in the JSON lines that its collector reads."""

from benchmark_runner.results.export.otel.lines import write_spans

__all__ = ["write_spans"]
