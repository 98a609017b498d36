"""``doctor``: checks the author's repository, and suggests fixes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark_runner.cli.console import failures_as_messages, note, print_failure
from benchmark_runner.cli.options import (
    AllowInsecureHttp,
    AsJson,
    Headers,
    ServiceUrl,
    parse_run,
)

if TYPE_CHECKING:
    from benchmark_runner._run.defaults import CliSettings
    from benchmark_runner.cli.signals import Interrupted


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    def doctor(
        context: typer.Context,
        offline: Annotated[
            bool, typer.Option("--offline", help="Leave out checks that need the network.")
        ] = False,
        service_url: ServiceUrl = None,
        header: Headers = None,
        allow_insecure_http: AllowInsecureHttp = False,
        json: AsJson = False,
    ) -> None:
        """Check this repository and suggest fixes.

        Nothing is changed. The exit code is 1 if there is a problem.
        """
        with failures_as_messages("doctor", as_json=json):
            from benchmark_runner._extras import require_extra
            from benchmark_runner._run.installation import package_of

            require_extra("doctor")
            from benchmark_runner.cli.doctor.checks import Checks
            from benchmark_runner.cli.doctor.runner import find_root, open_runner
            from benchmark_runner.cli.output.doctor import print_findings
            from benchmark_runner.cli.signals import Interrupted, run_interruptible

            opened = open_runner(
                settings, service_url, header or [], allow_insecure_http=allow_insecure_http
            )
            package = package_of(settings.runner)
            parse = partial(parse_run, context)
            checks = Checks(find_root(settings.runner), package, opened, offline, parse)
            checks.mask(service_url, header or [])

            def interrupted(signal: Interrupted) -> None:
                message = f"stopped by {signal}"
                print_failure("doctor", "Interrupted", message, None, as_json=json)

            try:
                faults = run_interruptible(
                    print_findings(checks.findings(), as_json=json),
                    threads=1,
                    on_overrun=interrupted,
                    on_stray=lambda _, text: note(text.rstrip()),
                )
            except Interrupted as signal:
                interrupted(signal)
                raise typer.Exit(signal.exit_code) from None
            raise typer.Exit(1 if faults else 0)
