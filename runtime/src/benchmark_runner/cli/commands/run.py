"""``run``: generate answers, have them graded, and score; what is finished is not redone."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark_runner._run.cli_defaults import CliSettings
from benchmark_runner.cli.console import failures_as_messages
from benchmark_runner.cli.options import (
    DEFAULT_EVAL_PARALLELISM,
    DEFAULT_EVAL_TIMEOUT,
    DEFAULT_SERVICE_ATTEMPTS,
    DEFAULT_SERVICE_RETRY_TIME,
    AllowInsecureHttp,
    AsJson,
    DatasetFile,
    EvalParallelism,
    EvalTimeout,
    NoDurable,
    Quiet,
    ResultsDir,
    ServiceAttempts,
    ServiceRetryTime,
    ServiceUrl,
)

_MODEL = "Model settings"
_AGAIN = "Going on with a run"
_CAPS = "Caps"


def register(app: typer.Typer, settings: CliSettings) -> None:
    """Add the command to ``app``."""

    @app.command()
    def run(
        task_ids: Annotated[
            list[str] | None,
            typer.Argument(
                metavar="TASK_IDS", help="Work on these tasks only.", show_default=False
            ),
        ] = None,
        model: Annotated[
            str | None,
            typer.Option("--model", metavar="M", help=_model_help(settings.default_model)),
        ] = None,
        run_id: Annotated[
            str | None,
            typer.Option(
                "--run-id", metavar="R", help="Name the run, or go on with it; made up if left out."
            ),
        ] = None,
        dataset_file: DatasetFile = None,
        dataset_name: Annotated[
            str | None,
            typer.Option(
                "--dataset-name", metavar="N", help="Take the tasks from the service's dataset."
            ),
        ] = None,
        problem: Annotated[
            Path | None,
            typer.Option(
                "--problem", metavar="PATH", help="Ask what this file says; needs one TASK_ID."
            ),
        ] = None,
        task_file: Annotated[
            Path | None,
            typer.Option("--task-file", metavar="F", help="Task ids to work on, one a line."),
        ] = None,
        limit: Annotated[
            int | None,
            typer.Option("--limit", metavar="N", min=1, help="Only the dataset's first N tasks."),
        ] = None,
        skip_eval: Annotated[
            bool, typer.Option("--skip-eval", help="Generate only; grade nothing.")
        ] = False,
        parallelism: Annotated[
            int,
            typer.Option(
                "--parallelism", metavar="N", min=1, help="The most generations at a time."
            ),
        ] = settings.default_parallelism,
        timeout: Annotated[
            float | None,
            typer.Option(
                "--timeout",
                metavar="SECONDS",
                help="The time limit of a task that sets none; 0 means none.",
            ),
        ] = settings.default_timeout,
        option: Annotated[
            list[str] | None,
            typer.Option("--option", metavar="KEY=VALUE", help="An option of this benchmark."),
        ] = None,
        results_dir: ResultsDir = None,
        dry_run: Annotated[
            bool,
            typer.Option("--dry-run", help="Only say what would be done, and why."),
        ] = False,
        rerun: Annotated[
            list[str] | None,
            typer.Option(
                "--rerun",
                metavar="TASK",
                help="Generate this task again, beside what is owed; the earlier attempt is kept.",
                rich_help_panel=_AGAIN,
            ),
        ] = None,
        retry_timeouts: Annotated[
            bool,
            typer.Option(
                "--retry-timeouts",
                help="Generate again what ran out of time or turns.",
                rich_help_panel=_AGAIN,
            ),
        ] = False,
        accept_changed_tasks: Annotated[
            bool,
            typer.Option(
                "--accept-changed-tasks",
                help="Go on where tasks were changed, added or removed, and redo just those.",
                rich_help_panel=_AGAIN,
            ),
        ] = False,
        accept_code_change: Annotated[
            bool,
            typer.Option(
                "--accept-code-change",
                help="Go on with another generation version or commit of this runner.",
                rich_help_panel=_AGAIN,
            ),
        ] = False,
        max_cost: Annotated[
            float | None,
            typer.Option(
                "--max-cost",
                metavar="USD",
                min=0,
                help="Start no new task once the run has cost this much.",
                rich_help_panel=_CAPS,
            ),
        ] = None,
        max_errors: Annotated[
            int | None,
            typer.Option(
                "--max-errors",
                metavar="N",
                min=1,
                help="Start no new task after so many generation errors.",
                rich_help_panel=_CAPS,
            ),
        ] = None,
        no_durable: NoDurable = False,
        quiet: Quiet = False,
        json: AsJson = False,
        max_tokens: Annotated[
            int | None,
            typer.Option("--max-tokens", metavar="N", min=1, rich_help_panel=_MODEL),
        ] = None,
        temperature: Annotated[
            float | None, typer.Option("--temperature", metavar="F", rich_help_panel=_MODEL)
        ] = None,
        top_p: Annotated[
            float | None, typer.Option("--top-p", metavar="F", rich_help_panel=_MODEL)
        ] = None,
        top_k: Annotated[
            int | None, typer.Option("--top-k", metavar="N", rich_help_panel=_MODEL)
        ] = None,
        reasoning_effort: Annotated[
            str | None, typer.Option("--reasoning-effort", metavar="S", rich_help_panel=_MODEL)
        ] = None,
        custom_endpoint: Annotated[
            str | None,
            typer.Option(
                "--custom-endpoint",
                metavar="URL",
                help=r"Where the model is.  \[env: CUSTOM_ENDPOINT]",
                rich_help_panel=_MODEL,
            ),
        ] = None,
        custom_api_key: Annotated[
            str | None,
            typer.Option(
                "--custom-api-key",
                metavar="KEY",
                help=r"Its key; the environment is safer.  \[env: CUSTOM_API_KEY]",
                rich_help_panel=_MODEL,
            ),
        ] = None,
        chat_completions: Annotated[
            bool,
            typer.Option(
                "--chat-completions",
                help="Use the OpenAI-compatible chat completions API.",
                rich_help_panel=_MODEL,
            ),
        ] = False,
        disable_streaming: Annotated[
            bool,
            typer.Option(
                "--disable-streaming",
                help="Do not stream; needs --chat-completions.",
                rich_help_panel=_MODEL,
            ),
        ] = False,
        service_url: ServiceUrl = None,
        eval_parallelism: EvalParallelism = DEFAULT_EVAL_PARALLELISM,
        eval_timeout: EvalTimeout = DEFAULT_EVAL_TIMEOUT,
        service_attempts: ServiceAttempts = DEFAULT_SERVICE_ATTEMPTS,
        service_retry_time: ServiceRetryTime = DEFAULT_SERVICE_RETRY_TIME,
        allow_insecure_http: AllowInsecureHttp = False,
    ) -> None:
        """Generate answers, have them graded, and score them.

        What is finished is never done again: the same command goes on where it stopped.
        """
        with failures_as_messages("run", as_json=json):
            from benchmark_runner._run.benchmark import ServiceSettings, open_benchmark
            from benchmark_runner._run.session import RunRequest
            from benchmark_runner._run.workflow import WorkSettings
            from benchmark_runner._versions import Code
            from benchmark_runner.cli.flags import (
                as_settings,
                check_run_flags,
                environment,
                given_arguments,
                named_tasks,
                new_run_id,
            )
            from benchmark_runner.cli.job import Job, carry_out, show_plan
            from benchmark_runner.client.retry import RetryPolicy
            from benchmark_runner.llm import build_llm_config

            named = named_tasks(task_ids or [], task_file)
            check_run_flags(
                task_ids=named,
                dataset_file=dataset_file,
                dataset_name=dataset_name,
                problem=problem,
                limit=limit,
                custom_endpoint=custom_endpoint,
                numbers={
                    "--timeout": timeout,
                    "--temperature": temperature,
                    "--top-p": top_p,
                    "--eval-timeout": eval_timeout,
                    "--service-retry-time": service_retry_time,
                    "--max-cost": max_cost,
                },
                chat_completions=chat_completions,
                disable_streaming=disable_streaming,
            )
            benchmark = open_benchmark(settings, use_env_file=problem is None)
            service = ServiceSettings(
                url=benchmark.service_url(service_url),
                eval_parallelism=eval_parallelism,
                eval_timeout=eval_timeout,
                retry=RetryPolicy(attempts=service_attempts, total_time=service_retry_time),
                allow_insecure_http=allow_insecure_http,
            )
            request = RunRequest(
                model=model,
                default_model=settings.default_model,
                llm_config=build_llm_config(
                    max_tokens=max_tokens,
                    temperature=temperature,
                    top_p=top_p,
                    top_k=top_k,
                    reasoning_effort=reasoning_effort,
                    custom_endpoint=custom_endpoint or environment("CUSTOM_ENDPOINT"),
                    custom_api_key=custom_api_key or environment("CUSTOM_API_KEY"),
                    chat_completions=chat_completions,
                    disable_streaming=disable_streaming,
                ),
                options=option or [],
                dataset_file=dataset_file,
                dataset_name=dataset_name,
                problem=problem,
                default_file=benchmark.default_dataset_file,
                task_ids=named,
                limit=limit,
                local=service.local,
                rerun=rerun or [],
                accept_changed_tasks=accept_changed_tasks,
                accept_code_change=accept_code_change,
                code=Code.of(benchmark.project.root),
            )
            flags = {
                "--skip-eval": (skip_eval, False),
                "--parallelism": (parallelism, settings.default_parallelism),
                "--timeout": (timeout, settings.default_timeout),
                "--max-cost": (max_cost, None),
                "--max-errors": (max_errors, None),
                "--no-durable": (no_durable, False),
                "--eval-parallelism": (eval_parallelism, DEFAULT_EVAL_PARALLELISM),
                "--eval-timeout": (eval_timeout, DEFAULT_EVAL_TIMEOUT),
                "--service-attempts": (service_attempts, DEFAULT_SERVICE_ATTEMPTS),
                "--service-retry-time": (service_retry_time, DEFAULT_SERVICE_RETRY_TIME),
                "--allow-insecure-http": (allow_insecure_http, False),
            }
            work = WorkSettings(
                command="run",
                local=service.local,
                parallelism=parallelism,
                timeout=timeout,
                eval_parallelism=eval_parallelism,
                eval_deadline=service.eval_deadline,
                skip_eval=skip_eval,
                retry_timeouts=retry_timeouts,
                max_cost=max_cost,
                max_errors=max_errors,
                quiet=quiet,
                operational=as_settings(flags),
            )
            part = given_arguments({"--problem": (problem, None), "--task-file": (task_file, None)})
            # After "--" an id may start with a hyphen.
            part += ["--"] if any(name.startswith("-") for name in task_ids or []) else []
            job = Job(
                benchmark=benchmark,
                service=service,
                request=request,
                settings=work,
                results_dir=benchmark.results_dir(results_dir),
                run_id=new_run_id() if run_id is None else run_id,
                flags=given_arguments(flags),
                part=[*part, *(task_ids or [])],
                json=json,
                durable=not no_durable,
            )
            if dry_run:
                show_plan(job)
            carry_out(job)


def _model_help(default: str | None) -> str:
    return rf"The model.  \[default: {default}]" if default else "The model."
