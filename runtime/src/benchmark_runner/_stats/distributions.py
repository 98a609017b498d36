"""The distributions behind intervals and tests, to eight digits for 100,000 scores."""

import math
from statistics import NormalDist

#: The relative precision of a float.
_NEGLIGIBLE = 1e-15


def student_t_quantile(share: float, degrees: float) -> float:
    """Return the value of Student's t that ``share`` of the distribution is below.

    By Newton's method. For t > 0 the tail is convex and above that of the normal distribution:
    from the normal quantile, no step goes past the result.
    """
    tail = min(share, 1 - share)
    value = -NormalDist().inv_cdf(tail)
    while True:
        excess = _student_t_tail(value, degrees) - tail
        following = value + excess / _student_t_density(value, degrees)
        if following <= value * (1 + _NEGLIGIBLE):
            return math.copysign(value, share - 0.5)
        value = following


def binomial_cdf(successes: int, trials: int, chance: float) -> float:
    """Return the exact probability of at most ``successes`` in ``trials``.

    Source: NIST Digital Library of Mathematical Functions, 8.17.5.
    """
    if successes < 0:
        return 0.0
    if successes >= trials:
        return 1.0
    return _incomplete_beta(trials - successes, successes + 1, 1 - chance, chance)


def _student_t_tail(value: float, degrees: float) -> float:
    """Return the probability of more than ``value``, which is at least 0."""
    square = value * value
    inside, outside = degrees / (degrees + square), square / (degrees + square)
    return _incomplete_beta(degrees / 2, 0.5, inside, outside) / 2


def _student_t_density(value: float, degrees: float) -> float:
    """Return the density at ``value``. Source: Abramowitz and Stegun, 26.7.2."""
    shape = -(degrees + 1) / 2 * math.log1p(value * value / degrees)
    return math.exp(shape - _log_beta(degrees / 2, 0.5)) / math.sqrt(degrees)


def _incomplete_beta(a: float, b: float, x: float, y: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b).

    ``y`` is 1 - x, an argument of its own so that a small one keeps its digits.

    Source: NIST Digital Library of Mathematical Functions, 8.17.4 for the symmetry, 8.17.22 for
    the continued fraction and where it converges fast.
    """
    if x > (a + 1) / (a + b + 2):
        return 1 - _lower_incomplete_beta(b, a, y, x)
    return _lower_incomplete_beta(a, b, x, y)


def _lower_incomplete_beta(a: float, b: float, x: float, y: float) -> float:
    if x <= 0:
        return 0.0
    logarithm = a * math.log(x) + b * math.log(y)
    return math.exp(logarithm - _log_beta(a, b)) / a * _beta_fraction(a, b, x)


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction by Lentz's method.

    Source: Press et al., "Numerical Recipes", 3rd edition, sections 5.2 and 6.4.
    """
    above = 1.0
    below = fraction = 1 / (1 - (a + b) * x / (a + 1))
    term, factor = 0, math.inf
    while abs(factor - 1) > _NEGLIGIBLE:
        term += 1
        even = a + 2 * term
        for numerator in (
            term * (b - term) * x / ((even - 1) * even),
            -(a + term) * (a + b + term) * x / (even * (even + 1)),
        ):
            above = 1 + numerator / above
            below = 1 / (1 + numerator * below)
            factor = above * below
            fraction *= factor
    return fraction


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
