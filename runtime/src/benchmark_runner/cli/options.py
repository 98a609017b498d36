"""The Typer options of the commands, made from the declarations of their flags.

The author's options, given by ``--option``, are parsed in
:mod:`benchmark_runner._run.author_options`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, fields
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner._run.flags import Command, Flag, default_of, flags_of
from benchmark_runner._run.request import RunRequest
from benchmark_runner._run.service_settings import ServiceSettings

_CONTAINERS = (RunRequest, ServiceSettings)
_NAMES = [{declared.name for declared in fields(each)} for each in _CONTAINERS]
_DECLARED = {declared.name: declared for each in _CONTAINERS for declared in fields(each)}

_Callback = Callable[[RunRequest, ServiceSettings], None]


def _details(found: Flag, text: str) -> dict[str, Any]:
    text += rf"  \[env: {found.env}]" if found.env else ""
    text += rf" \[default: {found.default_text}]" if found.default_text else ""
    return {
        "metavar": found.metavar,
        "min": found.minimum,
        "help": text,
        "rich_help_panel": found.panel,
    }


def _shared(name: str) -> Any:
    """Return the option of a field, for commands that have only a few of them."""
    found: Flag = _DECLARED[name].metadata["flag"]
    return typer.Option(found.name, **_details(found, found.help))


RunArgument = Annotated[
    str, typer.Argument(metavar="R", help="Name of the run.", show_default=False)
]
ResultsDir = Annotated[Path | None, _shared("results_dir")]
ServiceUrl = Annotated[str | None, _shared("url")]
Headers = Annotated[list[str] | None, _shared("headers")]
AllowInsecureHttp = Annotated[bool, _shared("allow_insecure_http")]
Reduce = Annotated[
    str,
    typer.Option(
        "--reduce",
        metavar="WAY",
        help="Score of a task from its repeats: mean, max, pass@K (at least one of K repeats "
        "passes) or pass^K (all do).",
    ),
]
AsJson = Annotated[bool, _shared("json")]


def containers_of(command: Command, given: Mapping[str, Any]) -> tuple[RunRequest, ServiceSettings]:
    """Return the values of a command's flags; what is omitted is left to the defaults."""
    values = {name: value for name, value in given.items() if value is not None}
    request, service = ({name: values[name] for name in values.keys() & names} for names in _NAMES)
    return RunRequest(command=command, **request), ServiceSettings(**service)


def parse_run(context: typer.Context, arguments: Sequence[str]) -> RunRequest:
    """Parse arguments of ``run``, from the context of a command beside it, and run nothing.

    Raises:
        UsageError: flags contradict each other. Typer raises its own for others.
    """
    from benchmark_runner.cli.validation import check_flags

    group = (context.parent or context).command
    run: Any = getattr(group, "commands")["run"]  # noqa: B009 (no class in all versions)
    request, service = containers_of("run", run.make_context("run", [*arguments]).params)
    check_flags(request, service)
    return request


def with_flags(
    command: Command, settings: CliSettings
) -> Callable[[_Callback], Callable[..., None]]:
    """Give a command's callback all flags that are declared for the command."""
    parameters = [
        Parameter(
            declared.name,
            Parameter.KEYWORD_ONLY,
            default=_option(command, declared, found, settings),
            annotation=declared.type,
        )
        for declared, found in flags_of(command, *_CONTAINERS)
    ]

    def decorate(callback: _Callback) -> Callable[..., None]:
        def call(**given: Any) -> None:
            callback(*containers_of(command, given))

        call.__name__, call.__doc__ = callback.__name__, callback.__doc__
        call.__annotations__ = {}
        call.__signature__ = Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
        return call

    return decorate


def _option(command: Command, declared: Field[Any], found: Flag, settings: CliSettings) -> Any:
    required = found.required_help if command != "run" else None
    if not found.name.startswith("--"):
        default = None if required is None else ...
        return typer.Argument(default, metavar=found.name, help=found.help, show_default=False)
    if required is not None:
        return typer.Option(..., found.name, **_details(found, required))
    default = default_of(declared, found, settings)
    text = found.help
    if default is None and found.setting and (shown := getattr(settings, found.setting)):
        text += rf"  \[default: {shown}]"
    return typer.Option(None if default == "" else default, found.name, **_details(found, text))
