"""The names and ids in logs of Inspect."""

import re
from hashlib import sha256

__all__ = [
    "METRICS", "SCORE", "log_id", "model_name", "registered_name", "scorer_name", "task_name",
]  # fmt: skip

#: The name of our scores, in samples and in results.
SCORE = "evaluation"
#: The registered names of the metrics.
METRICS = ("inspect_ai/mean", "inspect_ai/stderr")

#: The characters and the length of Inspect's own ids.
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ID_LENGTH = 22


def task_name(benchmark: str) -> str:
    """Return the name under which a copy registers its task: ``my_bench_runner/my_bench``."""
    return registered_name(benchmark, _identifier(benchmark))


def scorer_name(benchmark: str) -> str:
    """Return the name under which a copy registers its scorer."""
    return registered_name(benchmark, SCORE)


def registered_name(benchmark: str, name: str) -> str:
    """Return a name with the package of a copy before it."""
    return f"{_identifier(benchmark)}_runner/{name}"


def model_name(model: str) -> str:
    """Return the name of a model, with ``none`` for a provider that it does not name.

    Inspect scores no log of a model without a provider.
    """
    return model if "/" in model else f"none/{model}"


def log_id(*parts: object) -> str:
    """Return an id that is the same for the same parts."""
    number = int.from_bytes(sha256("\0".join(map(str, parts)).encode(errors="replace")).digest())
    digits: list[str] = []
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def _identifier(benchmark: str) -> str:
    return re.sub(r"\W", "_", benchmark.lower())
