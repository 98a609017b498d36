"""The author's code (runner, default dataset, grader), and the service that it names."""

from importlib.util import find_spec
from pathlib import Path

from benchmark_runner._project.folders import Project
from benchmark_runner._project.wheel import missing_modules
from benchmark_runner._run.author_options import parse_options
from benchmark_runner._run.benchmark import Benchmark, open_benchmark
from benchmark_runner._run.connection import connect_to_service
from benchmark_runner._run.defaults import CliSettings
from benchmark_runner._run.graded_by import grades_itself
from benchmark_runner._run.installation import package_of
from benchmark_runner._run.service_settings import ServiceSettings
from benchmark_runner._run.task_source import TaskSource, load_tasks
from benchmark_runner._text import plural, some_ids
from benchmark_runner.base import BenchmarkRunner
from benchmark_runner.cli.doctor.findings import Finding, fault, not_checked, ok
from benchmark_runner.cli.doctor.score_shape import advice_on_score_shape
from benchmark_runner.client.preflight import check_service
from benchmark_runner.errors import BenchmarkRunnerError

Opened = tuple[Benchmark, ServiceSettings] | BenchmarkRunnerError

__all__ = [
    "Opened",
    "check_reachable",
    "describe_runner",
    "find_root",
    "load",
    "open_runner",
]


def find_root(runner: type[BenchmarkRunner] | str) -> Path | None:
    """Return the project's root; ``None`` for an installed wheel."""
    if not isinstance(runner, str):
        return Project.of(runner).root
    # Only the package is looked up: a module in it would be imported, which may fail.
    spec = find_spec(package_of(runner))
    if spec is None:
        return None
    folders = spec.submodule_search_locations or []
    files = [spec.origin] if spec.origin else [f"{folder}/__init__.py" for folder in folders]
    return Project.of_file(Path(files[0])).root if files else None


def open_runner(
    settings: CliSettings,
    service_url: str | None,
    headers: list[str],
    *,
    allow_insecure_http: bool,
) -> Opened:
    """Return the author's benchmark and its service, or the error of opening them."""
    try:
        benchmark = open_benchmark(settings)
    except BenchmarkRunnerError as error:
        return error
    service = ServiceSettings(
        url=benchmark.service_url(service_url),
        eval_parallelism=1,
        service_attempts=3,
        headers=headers,
        allow_insecure_http=allow_insecure_http,
    )
    return benchmark, service


async def load(benchmark: Benchmark, service: ServiceSettings) -> BenchmarkRunner:
    """Return the runner with the tasks of a run without arguments, if there is a default dataset.

    Raises:
        BenchmarkRunnerError: the runner or its dataset can't be used.
    """
    runner = benchmark.runner(service.url, eval_parallelism=1)
    runner.options = parse_options(runner.OPTIONS_MODEL, {})
    source = _source(benchmark)
    if source.file is not None or type(runner).load_tasks is not BenchmarkRunner.load_tasks:
        await load_tasks(runner, source)
    return runner


def describe_runner(
    benchmark: Benchmark, service: ServiceSettings, runner: BenchmarkRunner
) -> Finding:
    """Return what was loaded; import the grader, too, where this machine grades.

    Raises:
        RunnerDefinitionError: there is no usable grader.
    """
    project = benchmark.project
    if missing := missing_modules(project.root, project.package) if project.root else []:
        advice = "\n".join(module.advice for module in missing)
        return fault("; ".join(map(str, missing)), advice=advice)
    if service.local:
        benchmark.local_service(runner, *benchmark.datasets_in(benchmark.data_dir))
    code = f"{type(runner).__name__}{' and its grader' if service.local else ''}"
    dataset = "no default dataset"
    if tasks := runner.get_tasks():
        dataset = plural(len(tasks), "task")
        file, root = _source(benchmark).file, benchmark.project.root
        if file is not None:
            inside = root is not None and file.is_relative_to(root)
            dataset += f" in {file.relative_to(root) if root and inside else file}"
        if unused := runner.unused_fields:
            dataset += f"; not used of it: {some_ids(unused)}"
    return ok(f"{code} can be imported, with {dataset}")


async def check_reachable(
    benchmark: Benchmark, service: ServiceSettings, runner: BenchmarkRunner
) -> Finding:
    """Send the requests that a run begins with.

    Raises:
        BenchmarkRunnerError: grading could not work; the class says why.
    """
    if service.local:
        return ok("local: this machine grades")
    tasks = runner.get_tasks()
    async with await connect_to_service(service, benchmark, runner, _source(benchmark)) as client:
        results_dir = benchmark.results_dir(None)
        if not tasks:
            await client.health()
            return not_checked(
                f"{client.base_url} is up; without a default dataset the key is not tried",
                advice=await advice_on_score_shape(client, results_dir, runner),
            )
        await check_service(
            client,
            tasks[0].id,
            runner.dataset_name,
            runner.EVALUATION_API,
            own_evaluate=grades_itself(runner),
            uploads_for="doctor" if runner.PAYLOAD_TYPE == "artifact" else None,
        )
        key = (
            f"does not refuse the key in {client.auth_name}" if client.auth_name else "wants no key"
        )
        return ok(
            f"{client.base_url} is up and {key}",
            advice=await advice_on_score_shape(client, results_dir, runner),
        )


def _source(benchmark: Benchmark) -> TaskSource:
    return TaskSource("file", file=benchmark.default_dataset_file)
