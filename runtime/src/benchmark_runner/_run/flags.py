"""The declaration of a flag, and what a run keeps of the flags that were given.

A flag is declared where its value is kept, as a field of
:class:`~benchmark_runner._run.request.RunRequest` or
:class:`~benchmark_runner._run.service_settings.ServiceSettings`. From the declaration come the
signatures of the commands (:mod:`benchmark_runner.cli.options`), the resume command, the settings
in the run's history, and the flag's part in the run's identity.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from benchmark_runner._part import Part

if TYPE_CHECKING:
    from collections.abc import Iterator
    from dataclasses import Field

    from _typeshed import DataclassInstance
    from pydantic import JsonValue

    from benchmark_runner._run.defaults import CliSettings

Command = Literal["run", "evaluate", "score", "import"]

ALL_COMMANDS: tuple[Command, ...] = ("run", "evaluate", "score", "import")
WITH_REQUESTS: tuple[Command, ...] = ("run", "evaluate", "score")
WITH_EVALUATION: tuple[Command, ...] = ("run", "evaluate")
WITH_TASKS: tuple[Command, ...] = ("run", "import")
_RUN: tuple[Command, ...] = ("run",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A flag of the command line, or its one argument.

    Attributes:
        name: The flag as it is typed, such as ``--max-cost``.
        part: Its part in the run's identity. What is operational is recorded in the run's
            history, and repeated by the resume command.
        panel: The heading that it is listed under.
        env: The environment variable that is used where the flag is omitted.
        setting: The argument of ``make_cli()`` that is used where the flag is omitted.
        default_text: The default, where the value does not show it.
        required_help: The help text for the commands that need the flag: all but ``run``.
    """

    name: str
    help: str
    part: Part
    commands: tuple[Command, ...] = _RUN
    metavar: str | None = None
    panel: str | None = None
    minimum: int | None = None
    env: str | None = None
    setting: str | None = None
    default_text: str | None = None
    required_help: str | None = None

    @property
    def key(self) -> str:
        """The flag's name in the run's history, such as ``max_cost``."""
        return self.name.removeprefix("--").replace("-", "_")

    def typed(self, value: object) -> list[str]:
        """Return the arguments that give the flag this value; none for ``None`` and ``False``."""
        if value is None or isinstance(value, bool):
            return [self.name] if value else []
        text = str(value)
        return [self.name, text.removesuffix(".0") if isinstance(value, float) else text]


def flag(
    name: str,
    metavar: str,
    text: str,
    part: Part,
    *,
    default: object = None,
    secret: bool = False,
    **more: Any,
) -> Any:
    """Declare a flag that has a value, as a field of a dataclass.

    A ``default`` of ``list`` is that of a flag that may be repeated; the value of a ``secret`` one
    is kept out of the ``repr()``. ``more`` are the other attributes of :class:`Flag`.
    """
    metadata = {"flag": Flag(name=name, metavar=metavar, help=text, part=part, **more)}
    if default is list:
        return field(default_factory=list[str], metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


def switch(name: str, text: str, part: Part, **more: Any) -> bool:
    """Declare a flag that is given or not, as a field of a dataclass; see :func:`flag`."""
    metadata = {"flag": Flag(name=name, help=text, part=part, **more)}
    declared: Any = field(default=False, metadata=metadata)
    return declared


def flags_of(
    command: Command, *containers: DataclassInstance | type[DataclassInstance]
) -> Iterator[tuple[Field[Any], Flag]]:
    """Yield the flags of a command that containers declare, each with its field."""
    for declared in (each for container in containers for each in fields(container)):
        found: Flag | None = declared.metadata.get("flag")
        if found is not None and command in found.commands:
            yield declared, found


def default_of(declared: Field[Any], found: Flag, settings: CliSettings) -> Any:
    """Return the value of an omitted flag; ``None`` for a list, whose default is empty."""
    # A resume without the flag keeps what is frozen; the setting is for new runs only.
    if found.setting is not None and found.part is not Part.IDENTITY:
        return getattr(settings, found.setting)
    return None if declared.default is MISSING else declared.default


def operational_settings(command: Command, *containers: DataclassInstance) -> dict[str, JsonValue]:
    """Return the settings of this invocation that the run's history records."""
    return {
        found.key: getattr(container, declared.name)
        for container in containers
        for declared, found in flags_of(command, container)
        if found.part is Part.OPERATIONAL
    }
