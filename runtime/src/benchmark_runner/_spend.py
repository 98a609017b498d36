"""Money and tokens that generations take."""

from dataclasses import dataclass, field

from benchmark_runner._scores import finite
from benchmark_runner.schemas import GenerationResult, TokenUsage


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
        usage = generation.usage
        self.add(known_cost(generation), **(dict(usage) if usage is not None else {}))

    @property
    def usage(self) -> TokenUsage:
        """The tokens by class; ``None`` for a class that no generation recorded."""
        return TokenUsage.model_validate(self.tokens)


def known_cost(generation: GenerationResult) -> float | None:
    """Return the cost of a generation in US dollars; ``None`` without a possible one."""
    cost = finite(generation.cost)
    return cost if cost is not None and cost >= 0 else None
