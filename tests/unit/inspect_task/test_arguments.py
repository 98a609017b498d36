"""The arguments of the task, as Inspect reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmark_runner.errors import UsageError
from benchmark_runner.inspect_task.arguments import TaskArguments, open_task_job

if TYPE_CHECKING:
    from benchmark_runner._run.defaults import CliSettings


@pytest.mark.parametrize(
    ("given", "text"),
    [("a", "a"), (["a", "b"], "a,b"), (True, "true"), (1.5, "1.5"), (None, "null")],
)
def test_values_become_the_texts_they_were(settings: CliSettings, given: object, text: str) -> None:
    """A value that Inspect has parsed or split is again the text that a person gave."""
    job = open_task_job(settings, TaskArguments(options={"word": given}))
    assert job.request.options == [f"word={text}"]


def test_defaults_are_those_of_the_command_line(settings: CliSettings) -> None:
    """An omitted argument has the default of the command line."""
    request = open_task_job(settings, TaskArguments(options={})).request
    assert (request.default_model, request.timeout) == ("a-model", settings.default_timeout)
    assert request.default_file is not None
    assert request.default_file.name == "tasks.json"


def test_unknown_option_is_refused(settings: CliSettings) -> None:
    """An option that the author did not declare is refused."""
    with pytest.raises(UsageError, match="wurd: unknown option"):
        open_task_job(settings, TaskArguments(options={"wurd": "x"}))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (TaskArguments(options={"key": "abc-123"}), "-T key is a secret"),
        (
            TaskArguments(options={}, service_url="https://me:hidden-word@example.com"),
            "-T service_url holds a password",
        ),
        (TaskArguments(options={"word": "sk-0123456789abcdefghij"}), "word holds a key"),
    ],
)
def test_secrets_are_refused(
    settings: CliSettings,
    monkeypatch: pytest.MonkeyPatch,
    arguments: TaskArguments,
    said: str,
) -> None:
    """A secret, which Inspect would write into its log, is refused and not repeated."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdefghij")
    with pytest.raises(UsageError, match=said) as refused:
        open_task_job(settings, arguments)
    for secret in ("abc-123", "hidden-word", "sk-0123456789abcdefghij"):
        assert secret not in f"{refused.value.message} {refused.value.hint}"


def test_scorer_gets_what_decides_about_grades(settings: CliSettings) -> None:
    """The scorer's own arguments are those of the service and its references."""
    given = TaskArguments(options={"word": "x"}, dataset_name="hard", service_url="local")
    assert given.of_scorer == {"dataset_name": "hard", "service_url": "local"}
