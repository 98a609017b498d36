"""The rules by which an eval on disk counts."""

from dataclasses import dataclass

__all__ = ["EvalRules"]


@dataclass(frozen=True, slots=True)
class EvalRules:
    """The rules by which the evals of a run count; its config sets them.

    Attributes:
        withdrawn: Tasks whose eval does not count, as a regrade that has begun is to put it away.
        need_hash: True if an eval needs the hash of its generation: whatever the framework
            writes has one. Only the earlier framework wrote none.
    """

    withdrawn: frozenset[str] = frozenset()
    need_hash: bool = False
