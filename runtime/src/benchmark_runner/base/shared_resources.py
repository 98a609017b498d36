"""The part of a runner that opens and closes what all generations of a process share."""

from __future__ import annotations

from typing import ClassVar

__all__ = ["SharedResources"]


class SharedResources:
    """The opening and closing of a browser, an index, a server: once a process, for all tasks."""

    START_TIMEOUT: ClassVar[float] = 600.0
    """Seconds after which :meth:`start` is stopped, which is an error; 0 or less means never."""

    async def start(self) -> None:
        """Open what all calls of ``generate()`` share; the default does nothing.

        It is called once a process, before the first ``generate()``, and not at all where nothing
        is to be generated. What it sets on ``self``, each ``generate()`` sees. A plain ``def``
        works as well; it is then called in a thread.

        Raises:
            Exception: any; it ends the command before anything is generated.
        """

    async def stop(self) -> None:
        """Close what :meth:`start` has opened; the default does nothing.

        It is called once, when the command has generated and evaluated its last task, also after
        errors and after Ctrl-C, and only if ``start()`` has returned: one that raises closes what
        it has opened so far. Both are called in the same asyncio task. It has 60 seconds, and 1.5
        once a signal has come. A plain ``def`` works as well.

        Raises:
            Exception: any; it is a warning, and the results stay as they are.
        """
