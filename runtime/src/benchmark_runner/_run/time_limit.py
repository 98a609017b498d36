"""The time limit of the generations of a plan."""

from benchmark_runner._run.plan import Plan
from benchmark_runner._run.session import Session


def time_limit(session: Session, plan: Plan) -> float | None:
    """Return the seconds that no generation of the plan may exceed; ``None`` without a limit."""
    if not plan.generate:
        return None
    of_tasks = {each.timeout for each in session.runner.registered_tasks()}
    limits = {(session.request.timeout or 0.0) if own is None else own for own in of_tasks}
    return max(limits) if min(limits, default=0.0) > 0 else None
