"""Money and tokens that generations take."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from benchmark_runner._scores import finite
from benchmark_runner.schemas import GenerationResult, TokenUsage

NumberT = TypeVar("NumberT", int, float)

#: Greater amounts of money, tokens, seconds or attempts are mistakes, and count as unknown.
_MOST = 10**12


@dataclass(slots=True)
class Spend:
    """The money and tokens that generations took, as far as they are recorded.

    Attributes:
        dollars: Sum of the known costs, in US dollars.
        unknown: Number of generations without a known cost.
        tokens: Number of tokens by class, under the names of :class:`TokenUsage`; a class that
            no generation recorded is missing.
    """

    dollars: float = 0.0
    unknown: int = 0
    tokens: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, cost: float | None, **tokens: int | None) -> None:
        """Add the dollars and tokens of one generation; ``None`` if unknown."""
        if cost is None:
            self.unknown += 1
        else:
            self.dollars += cost
        for name, count in tokens.items():
            if count is not None:
                self.tokens[name] = self.tokens.get(name, 0) + count

    def add_generation(self, generation: GenerationResult) -> None:
        """Add what one generation recorded."""
        self.add(known_cost(generation), **known_tokens(generation))

    @property
    def usage(self) -> TokenUsage:
        """The tokens by class; ``None`` for a class that no generation recorded."""
        return TokenUsage.model_validate(self.tokens)


def known_cost(generation: GenerationResult) -> float | None:
    """Return the cost of a generation in US dollars; ``None`` without a possible one."""
    return known_amount(generation.cost)


def known_tokens(generation: GenerationResult) -> dict[str, int]:
    """Return the tokens of a generation by class, without what is unknown or not possible."""
    recorded: dict[str, int | None] = dict(generation.usage or ())
    counts = ((name, known_count(number)) for name, number in recorded.items())
    return {name: count for name, count in counts if count is not None}


def known_amount(amount: float | None) -> float | None:
    """Return an amount of seconds or dollars; ``None`` if it is not possible."""
    known = finite(amount)
    return known if known is not None and 0 <= known <= _MOST else None


def known_count(number: int | None) -> int | None:
    """Return a number of tokens, turns or attempts; ``None`` if it is not possible."""
    return number if number is not None and 0 <= number <= _MOST else None


def known_sum(numbers: Iterable[NumberT | None]) -> NumberT | None:
    """Return the sum of the numbers that are known; ``None`` if none is."""
    known = [number for number in numbers if number is not None]
    return sum(known[1:], known[0]) if known else None
