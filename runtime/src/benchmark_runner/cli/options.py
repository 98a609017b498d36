"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_SERVICE = "Service settings"

DEFAULT_EVAL_PARALLELISM = 10
#: Judges are slow: several minutes a grade are normal.
DEFAULT_EVAL_TIMEOUT = 300.0
DEFAULT_SERVICE_ATTEMPTS = 8
DEFAULT_SERVICE_RETRY_TIME = 300.0

RunToLookAt = Annotated[str, typer.Argument(metavar="R", help="The run.", show_default=False)]
RunId = Annotated[str, typer.Option("--run-id", metavar="R", help="The run.")]
ResultsDir = Annotated[
    Path | None,
    typer.Option(
        "--results-dir",
        metavar="D",
        help=r"Where runs are kept.  \[env: RESULTS_DIR] \[default: the project's results/]",
    ),
]
ServiceUrl = Annotated[
    str | None,
    typer.Option(
        "--service-url",
        metavar="URL",
        help=r"The benchmark service, or local.  \[env: SERVICE_URL]",
        rich_help_panel=_SERVICE,
    ),
]
DatasetFile = Annotated[
    Path | None,
    typer.Option("--dataset-file", metavar="F", help="Take the tasks from this file."),
]
EvalParallelism = Annotated[
    int,
    typer.Option(
        "--eval-parallelism",
        metavar="N",
        min=1,
        help="The most gradings at a time.",
        rich_help_panel=_SERVICE,
    ),
]
EvalTimeout = Annotated[
    float,
    typer.Option(
        "--eval-timeout",
        metavar="SECONDS",
        help="The time limit of one grading.",
        rich_help_panel=_SERVICE,
    ),
]
ServiceAttempts = Annotated[
    int,
    typer.Option(
        "--service-attempts",
        metavar="N",
        min=1,
        help="The most tries of a call to the service.",
        rich_help_panel=_SERVICE,
    ),
]
ServiceRetryTime = Annotated[
    float,
    typer.Option(
        "--service-retry-time",
        metavar="SECONDS",
        min=0,
        help="How long a call to the service is tried again.",
        rich_help_panel=_SERVICE,
    ),
]
AllowInsecureHttp = Annotated[
    bool,
    typer.Option(
        "--allow-insecure-http",
        help="Send the key over plain http to another machine, too.",
        rich_help_panel=_SERVICE,
    ),
]
NoDurable = Annotated[
    bool,
    typer.Option(
        "--no-durable",
        help="Do not flush results to disk one by one: faster; a power cut may lose some.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
