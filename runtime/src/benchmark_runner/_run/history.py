"""The generations that have finished and the limit of those to come, for a forecast."""

from benchmark_runner._run.plan import Plan
from benchmark_runner._run.session import Session
from benchmark_runner._spend import known_amount, known_cost
from benchmark_runner._stats.survival import History
from benchmark_runner.schemas import GenerationResult


def add_generation(history: History, generation: GenerationResult) -> None:
    """Add a generation to the history, if its duration is known."""
    if (seconds := known_amount(generation.duration)) is not None:
        history.add(seconds, known_cost(generation))


def time_limit(session: Session, plan: Plan) -> float | None:
    """Return the seconds that no generation of the plan may exceed; ``None`` without a limit."""
    if not plan.generate:
        return None
    of_tasks = {each.timeout for each in session.runner.registered_tasks()}
    limits = {(session.request.timeout or 0.0) if own is None else own for own in of_tasks}
    return max(limits) if min(limits, default=0.0) > 0 else None
