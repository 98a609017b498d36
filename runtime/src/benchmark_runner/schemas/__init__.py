"""The shapes on disk and on the wire.

They are plain data. Every field beyond the minimum is optional, because services and older
runs leave fields out.
"""

from benchmark_runner.schemas import ids, records, scores, wire
from benchmark_runner.schemas.ids import *  # noqa: F403 (what its __all__ lists)
from benchmark_runner.schemas.records import *  # noqa: F403 (likewise)
from benchmark_runner.schemas.scores import *  # noqa: F403 (likewise)
from benchmark_runner.schemas.wire import *  # noqa: F403 (likewise)

__all__: list[str] = []
__all__ += ids.__all__
__all__ += records.__all__
__all__ += scores.__all__
__all__ += wire.__all__
