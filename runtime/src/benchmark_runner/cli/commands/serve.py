"""``serve``: the embedded benchmark service on a port, for a team, a container or a test."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark_runner._run.defaults import CliSettings
from benchmark_runner.cli.console import failures_as_messages, mask_secrets, note, say


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    def serve(
        host: Annotated[
            str, typer.Option("--host", metavar="H", help="Address to listen on.")
        ] = "127.0.0.1",
        port: Annotated[
            int,
            typer.Option(
                "--port",
                metavar="P",
                min=0,
                max=65535,
                help="Port to listen on; 0 takes a free one.",
            ),
        ] = 8000,
        key: Annotated[
            str | None,
            typer.Option(
                "--key",
                metavar="K",
                help="Key that clients must send; without it, anyone may connect.",
            ),
        ] = None,
        allow_host: Annotated[
            list[str] | None,
            typer.Option(
                "--allow-host",
                metavar="NAME",
                help="Another name by which requests may reach it; repeatable.",
            ),
        ] = None,
        data_dir: Annotated[
            Path | None,
            typer.Option(
                "--data-dir",
                metavar="D",
                help=r"Folder of the datasets.  \[default: the project's data/]",
            ),
        ] = None,
    ) -> None:
        """Serve the local benchmark service on a port, until Ctrl-C.

        It evaluates with this project's grader and datasets; its scores are not official.
        """
        with failures_as_messages("serve", as_json=False):
            from benchmark_runner._extras import require_extra
            from benchmark_runner._run.benchmark import open_benchmark
            from benchmark_runner._run.service_settings import LOCAL
            from benchmark_runner.cli.exit_codes import after_signal
            from benchmark_runner.cli.signals import has_running_loop
            from benchmark_runner.errors import UsageError

            require_extra("serve")
            if has_running_loop():
                raise UsageError(
                    "serve can't run in an event loop", hint="Start it in a process of its own."
                )
            from benchmark_runner.local.server import serve as serve_until_stopped

            if key is not None and not key.strip():
                raise UsageError("--key is empty", hint="Omit it to let anyone connect.")
            benchmark = open_benchmark(settings)
            folder = data_dir or benchmark.data_dir
            if not folder.is_dir():
                raise UsageError(
                    f"--data-dir {folder}: no such folder", hint="Give the folder of the datasets."
                )
            runner = benchmark.runner(LOCAL, eval_parallelism=1)
            redactor = mask_secrets("")
            redactor.hide([key])
            service = benchmark.local_service(
                runner, *benchmark.datasets_in(folder), key=key, redactor=redactor
            )

            def on_ready(url: str) -> None:
                say(f"Serving {runner.NAME} on {url}, evaluating with the datasets in {folder}")
                if key is None:
                    say(f"Use it with --service-url {url} or SERVICE_URL={url}")
                else:
                    say(f"Use it with SERVICE_URL={url} and the key in VALS_AUTH_KEY")
                say("Stop it with Ctrl-C")

            def on_stray(_author: object, text: str) -> None:
                error = text.rstrip().rpartition("\n")[2]
                note(f"The grader's code raised, where nothing waits for it: {error}")

            ended_by = serve_until_stopped(
                service, host, port, on_ready, on_stray, allow_host or ()
            )
        raise typer.Exit(after_signal(ended_by) if ended_by else 0)
