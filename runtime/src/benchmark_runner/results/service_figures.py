"""The figures beside the score in what newer services say: weighted means, and scores by category.

They are shown where they are there and well formed, and nothing depends on them: a service may put
anything into the metadata of a score.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from benchmark_runner._scores import finite
from benchmark_runner._text import in_one_line, plural
from benchmark_runner.results.phrases import number
from benchmark_runner.schemas import EvalResult, EvalResultData

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import JsonValue

    from benchmark_runner.schemas import ScoreResult

__all__ = ["NamedScore", "Population", "ServiceFigures", "service_figures", "weighted_score"]

_FORMAT = "vals_format.v1"
#: The most populations, scores of each, and categories that are shown.
_MOST_POPULATIONS, _MOST_SCORES, _MOST_CATEGORIES = 40, 8, 40
#: Characters of a name.
_NAME = 60


@dataclass(frozen=True, slots=True)
class NamedScore:
    """One score of a population, with its standard error if the service knows it."""

    name: str
    value: float
    stderr: float | None

    def __str__(self) -> str:
        error = "" if self.stderr is None else f" ± {self.stderr:.2g}"
        return f"{self.name} {number(self.value)}{error}"


@dataclass(frozen=True, slots=True)
class Population:
    """A part of the tasks, such as a category, with its scores."""

    name: str
    is_primary: bool
    scores: tuple[NamedScore, ...]

    @property
    def text(self) -> str:
        """The scores in one line."""
        return ", ".join(map(str, self.scores))


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """The figures beside a score.

    Attributes:
        weighted_mean: The mean of the weighted scores of the tasks.
        populations: The scores by category, as the service has summed them up.
        categories: The number of tasks of each category.
        left_out: The number of populations that are not listed.
    """

    weighted_mean: float | None = None
    populations: tuple[Population, ...] = ()
    categories: dict[str, int] = field(default_factory=dict[str, int])
    left_out: int = 0

    def __bool__(self) -> bool:
        return self.weighted_mean is not None or bool(self.populations or self.categories)

    @property
    def categories_text(self) -> str:
        """The number of tasks of each category, in one line."""
        return ", ".join(f"{name} {count:,}" for name, count in self.categories.items())

    @property
    def left_out_text(self) -> str:
        """The number of populations that are not listed; empty for none."""
        return f"… and {plural(self.left_out, 'more population')}" if self.left_out else ""

    def facts(self) -> dict[str, object] | None:
        """Return the figures for JSON; ``None`` without any."""
        return asdict(self) if self else None


def service_figures(score: ScoreResult | None) -> ServiceFigures:
    """Return the figures beside a score, as far as they are there."""
    metadata = score.metadata if score is not None else {}
    said = _object(metadata.get(_FORMAT))
    results, primary = _object(said.get("results")), said.get("primary_population")
    populations = [
        found
        for name, result in results.items()
        if (found := _population(name, result, is_primary=name == primary)).scores
    ]
    populations.sort(key=lambda each: not each.is_primary)
    return ServiceFigures(
        finite(metadata.get("mean_weighted_pass_percentage")),
        tuple(populations[:_MOST_POPULATIONS]),
        dict(Counter(_categories(said.get("tasks"))).most_common(_MOST_CATEGORIES)),
        max(0, len(populations) - _MOST_POPULATIONS),
    )


def weighted_score(evaluation: EvalResult | None) -> float | None:
    """Return the weighted score in the result of a task; ``None`` if there is none."""
    result = evaluation.result if evaluation is not None else None
    return finite(result.weighted_pass_percentage) if isinstance(result, EvalResultData) else None


def _population(name: str, result: JsonValue, *, is_primary: bool) -> Population:
    scores = _object(_object(result).get("scores")).items()
    named = (
        NamedScore(_short(score), value, finite(_object(content).get("stderr")))
        for score, content in scores
        if (value := finite(_object(content).get("value"))) is not None
    )
    return Population(_short(name), is_primary, tuple(islice(named, _MOST_SCORES)))


def _categories(tasks: JsonValue) -> Iterator[str]:
    for task in tasks if isinstance(tasks, list) else ():
        category = _object(task).get("category")
        if isinstance(category, str) and category.strip():
            yield _short(category)


def _object(value: JsonValue) -> dict[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _short(name: str) -> str:
    line = in_one_line(name[: 2 * _NAME])
    return line if len(line) <= _NAME else f"{line[: _NAME - 1]}…"
