"""The cost of jobs as a power of their duration."""

import math
import random
from dataclasses import dataclass

from benchmark_runner._stats.survival import History

#: The power before anything is known, that is a cost for each second, and its standard deviation.
_POWER, _POWER_ERROR = 1.0, 0.25
#: A smaller cost is none.
_NOTHING = 1e-12


@dataclass(frozen=True, slots=True)
class TailCosts:
    """The expected costs beyond a duration: ``scale`` there, and a power of the duration."""

    scale: float
    power: float

    def at(self, z: float) -> float:
        """Return the expected cost; ``z`` is the logarithm of the duration over that one."""
        return self.scale * math.exp(self.power * z)


class CostFit:
    """The power of the duration that fits the costs of finished jobs, by least squares.

    Args:
        history: The jobs.
        start: The duration in seconds at which :class:`TailCosts` begin.

    Attributes:
        noise: The variance of a cost, as a share of the square of the expected one.
    """

    def __init__(self, history: History, start: float) -> None:
        bins = [each for each in history.bins() if each.dollars > _NOTHING * each.count]
        points = [
            (each.count, math.log(each.duration / start), math.log(each.dollars / each.count))
            for each in bins
        ]
        self._count = sum(count for count, _, _ in points)
        self.noise = 0.0
        if not self._count:
            return
        self._centre = sum(n * x for n, x, _ in points) / self._count
        self._power, self._power_error = self._fit_power(points)
        expected = [math.exp(self._power * x) for _, x, _ in points]
        pairs = [*zip(bins, expected, strict=True)]
        self._scale = sum(b.dollars for b in bins) / sum(b.count * e for b, e in pairs)
        squares = sum(b.count * (self._scale * e) ** 2 for b, e in pairs)
        self.noise = max(sum(b.squares for b in bins) / squares - 1, 0.0)

    def draw(self, chance: random.Random) -> TailCosts:
        """Return costs that may be the true ones."""
        if not self._count:
            return TailCosts(0.0, 0.0)
        power = max(self._power + chance.gauss(0.0, self._power_error), 0.0)
        error = chance.gauss(0.0, math.sqrt(self.noise / self._count))
        turned = math.exp((self._power - power) * self._centre)  # around the centre of the data
        return TailCosts(self._scale * max(1 + error, 0.0) * turned, power)

    def _fit_power(self, points: list[tuple[int, float, float]]) -> tuple[float, float]:
        """Return the power and its error; the fewer points, the nearer to what is usual."""
        y_centre = sum(n * y for n, _, y in points) / self._count
        around = [(n, x - self._centre, y - y_centre) for n, x, y in points]
        spread = sum(n * x * x for n, x, _ in around)
        power = sum(n * x * y for n, x, y in around) / spread if spread else _POWER
        residual = sum(n * (y - power * x) ** 2 for n, x, y in around)
        precision = spread * (len(points) + 1) / (residual + 0.1)
        prior = _POWER_ERROR**-2
        fitted = (precision * power + prior * _POWER) / (precision + prior)
        return fitted, (precision + prior) ** -0.5
