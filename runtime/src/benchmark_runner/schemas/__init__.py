"""The shapes on disk and on the wire.

They are plain data. Every field beyond the minimum is optional, because services and older
runs leave fields out.
"""

from benchmark_runner.schemas import evaluation, failure, generation, ids, scores, task, wire
from benchmark_runner.schemas.evaluation import *  # noqa: F403 (what its __all__ lists)
from benchmark_runner.schemas.failure import *  # noqa: F403 (likewise)
from benchmark_runner.schemas.generation import *  # noqa: F403 (likewise)
from benchmark_runner.schemas.ids import *  # noqa: F403 (likewise)
from benchmark_runner.schemas.scores import *  # noqa: F403 (likewise)
from benchmark_runner.schemas.task import *  # noqa: F403 (likewise)
from benchmark_runner.schemas.wire import *  # noqa: F403 (likewise)

__all__: list[str] = []
__all__ += evaluation.__all__
__all__ += failure.__all__
__all__ += generation.__all__
__all__ += ids.__all__
__all__ += scores.__all__
__all__ += task.__all__
__all__ += wire.__all__
