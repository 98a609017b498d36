"""One bench for all tests of a process, and how many points were tried in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crash.bench import Bench
from tests.crash.forks import Forks
from tests.crash.scenarios import CrashProject
from tests.crash.service import CountingService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.crash.points import Point

    Check = Callable[[Point], None]
    TryAll = Callable[[Sequence[Point], Check], None]

#: Summed up at the end of the session, under this name.
TRIED = "tried: points at which a run was broken"


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("crash")
    with pytest.MonkeyPatch.context() as patch:
        project = CrashProject(folder / "project", patch)
    service = CountingService()
    with service.running(), Forks(folder, project.environment()) as forks:
        yield Bench(project, service, forks, folder)


@pytest.fixture
def try_all(record_property: Callable[[str, object], None]) -> TryAll:
    """Try points one after the other; fail in the end, with all that went wrong."""

    def run(points: Sequence[Point], check: Check) -> None:
        assert points
        record_property(TRIED, len(points))
        wrong: list[str] = []
        for point in points:
            try:
                check(point)
            except AssertionError as error:
                wrong.append(f"{point}\n{error}")
        if wrong:
            told = "\n\n".join(wrong)
            pytest.fail(f"{len(wrong)} of {len(points)} points:\n\n{told}", pytrace=False)

    return run
