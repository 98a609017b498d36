"""The ways in which the repeats of a task become its score."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from benchmark_runner._stats.means import is_pass_fail, mean

_WAYS = "mean, max, pass@K or pass^K with a whole number K, such as pass@3"
_OF_K = re.compile(r"(pass[@^])0*([1-9][0-9]{0,5})", re.ASCII)


class ReductionKind(StrEnum):
    """The ways to reduce repeats."""

    MEAN = "mean"
    MAX = "max"
    ANY = "pass@"
    ALL = "pass^"


@dataclass(frozen=True, slots=True)
class Reduction:
    """The score of a task from the scores of its repeats.

    Attributes:
        kind: ``mean``; ``max``, the plain maximum, which grows with the number of repeats, and
            so compares only tasks and runs with equal numbers of them; ``pass@``, the
            probability that at least one of ``k`` repeats passes; ``pass^``, that all do.
        k: The number of repeats that ``pass@`` and ``pass^`` are about.
    """

    kind: ReductionKind = ReductionKind.MEAN
    k: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the reduction that ``mean``, ``max``, ``pass@3`` or ``pass^3`` names.

        Raises:
            ValueError: the text is none of these.
        """
        if text in (ReductionKind.MEAN, ReductionKind.MAX):
            return cls(ReductionKind(text))
        if found := _OF_K.fullmatch(text):
            return cls(ReductionKind(found[1]), int(found[2]))
        raise ValueError(f"{text[:40]!r} is none of {_WAYS}")

    def __str__(self) -> str:
        return f"{self.kind}{self.k if self._counts_passes else ''}"

    @property
    def _counts_passes(self) -> bool:
        return self.kind in (ReductionKind.ANY, ReductionKind.ALL)

    def reduce(self, scores: Sequence[float]) -> float | None:
        """Return the score of a task; ``None`` if fewer than ``k`` of its repeats have a score.

        With c passes in n repeats, pass@k is ``1 - C(n-c,k)/C(n,k)`` and pass^k is
        ``C(c,k)/C(n,k)``: the share of all sets of k of them in which one passes, or each does.
        Both are unbiased; ``1-(1-c/n)^k`` and ``(c/n)^k`` are not.

        Sources: Chen et al., "Evaluating Large Language Models Trained on Code" (arXiv
        2107.03374), section 2.1; Yao et al., "tau-bench" (arXiv 2406.12045), section 3.

        Args:
            scores: The scores of the task's repeats that have one.

        Raises:
            ValueError: a score is neither 0 nor 1, and passes are to be counted.
        """
        if len(scores) < self.k:
            return None
        if self.kind is ReductionKind.MEAN:
            return mean(scores)
        if self.kind is ReductionKind.MAX:
            return max(scores, default=None)
        if not is_pass_fail(scores):
            other = next(score for score in scores if score not in (0, 1))
            raise ValueError(f"{self} counts passes: each score has to be 0 or 1, not {other:g}")
        return self._share_of_sets(len(scores), sum(score == 1 for score in scores))

    def _share_of_sets(self, repeats: int, passed: int) -> float:
        # In whole numbers, which divide to the nearest float however large they are.
        sets = math.comb(repeats, self.k)
        if self.kind is ReductionKind.ALL:
            return math.comb(passed, self.k) / sets
        return (sets - math.comb(repeats - passed, self.k)) / sets


#: The reduction where no other is asked for.
MEAN = Reduction()
