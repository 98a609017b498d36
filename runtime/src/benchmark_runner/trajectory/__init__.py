"""Trajectories: what agents did, step by step, recorded and read in the ATIF format."""

from benchmark_runner.trajectory import atif, digests, files, recorder, valid
from benchmark_runner.trajectory.atif import *  # noqa: F403 (what its __all__ lists)
from benchmark_runner.trajectory.digests import *  # noqa: F403 (likewise)
from benchmark_runner.trajectory.files import *  # noqa: F403 (likewise)
from benchmark_runner.trajectory.recorder import *  # noqa: F403 (likewise)
from benchmark_runner.trajectory.valid import *  # noqa: F403 (likewise)

__all__: list[str] = []
__all__ += atif.__all__
__all__ += digests.__all__
__all__ += files.__all__
__all__ += recorder.__all__
__all__ += valid.__all__
