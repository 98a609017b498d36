"""Keys of the environment and of flags: sent, and written or printed nowhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.scripted_service import ScriptedService


class TestSecrets:
    KEY = "hidden-service-key"
    MODEL_KEY = "hidden-model-key"

    def no_trace(self, project: RunnerProject, shown: str) -> None:
        """Neither output nor any file below the project's results holds a secret."""
        assert "hidden" not in shown
        files = [path for path in project.results.rglob("*") if path.is_file()]
        assert files
        for path in files:
            assert b"hidden" not in path.read_bytes(), path.name

    @pytest.mark.parametrize("by_flag", [True, False])
    def test_no_key_is_in_any_file_or_output(
        self, project: RunnerProject, scripted: ScriptedService, by_flag: bool
    ) -> None:
        """No key is in any file or output."""
        project.change_agent(
            (
                "        word, _, rest",
                (
                    "        (log_dir / 'config.txt').write_text(f'{llm_config} {llm_config!r} '"
                    " + llm_config.model_dump_json())\n"
                    "        assert llm_config.custom_api_key.get_secret_value() == "
                    f"{self.MODEL_KEY!r}\n        word, _, rest"
                ),
            )
        )
        flags = ["--custom-api-key", self.MODEL_KEY] if by_flag else []
        environment = {} if by_flag else {"CUSTOM_API_KEY": self.MODEL_KEY}
        ended = project.run(
            *("run", "--run-id", "r1", "--service-url", scripted.url, *flags),
            VALS_AUTH_KEY=self.KEY,
            **environment,
        )
        assert ended.code == 0, ended.err
        self.no_trace(project, ended.out + ended.err)

    def test_key_echoed_by_the_service_is_masked(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A key that the service repeats is masked."""
        echo = (400, {"detail": f"bad header x-descope-api-key: {self.KEY}"})
        scripted.answers["/evaluate-response/"] = echo
        scripted.answers["/final-score/"] = echo
        flags = ["--run-id", "r1", "--service-url", scripted.url]
        ended = project.run("run", *flags, VALS_AUTH_KEY=self.KEY)
        assert ended.code == 1
        assert "bad header x-descope-api-key: ***" in ended.out
        self.no_trace(project, ended.out + ended.err)
        ended = project.run("score", *flags, "--force", "--json", VALS_AUTH_KEY=self.KEY)
        assert ended.code == 1
        self.no_trace(project, ended.out + ended.err)

    def test_model_key_echoed_by_an_error_is_masked(self, project: RunnerProject) -> None:
        """A model key that an exception repeats is masked."""
        project.change_agent(
            (
                "        word, _, rest",
                (
                    "        key = llm_config.custom_api_key.get_secret_value()\n"
                    "        raise ValueError('the provider refuses the key ' + key)\n"
                    "        word, _, rest"
                ),
            )
        )
        ended = project.run("run", "--run-id", "r1", CUSTOM_API_KEY=self.MODEL_KEY)
        assert ended.code == 1
        assert "the provider refuses the key" in ended.out
        self.no_trace(project, ended.out + ended.err)

    def test_password_in_service_url_is_masked(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A password in SERVICE_URL is not shown."""
        url = scripted.url.replace("://", "://someone:hidden-password@")
        ended = project.run("run", "--run-id", "r1", SERVICE_URL=url)
        assert ended.code == 0, ended.err
        self.no_trace(project, ended.out + ended.err)

    def test_password_in_a_flag_is_not_printed(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """A password in a flag is not printed with the resume command."""
        url = scripted.url.replace("://", "://someone:hidden-password@")
        ended = project.run("run", "--run-id", "r1", "--service-url", url)
        assert ended.code == 0, ended.err
        assert "hidden" not in ended.out + ended.err

    def test_secret_option_is_written_nowhere(self, project: RunnerProject) -> None:
        """A secret option is written nowhere."""
        project.change_agent(
            ("import asyncio\n", "import asyncio\n\nfrom pydantic import BaseModel, SecretStr\n"),
            (
                "class SampleRunner",
                (
                    "class Options(BaseModel):\n    token: SecretStr | None = None\n\n\n"
                    "class SampleRunner"
                ),
            ),
        )
        project.set_in_class("OPTIONS_MODEL = Options")
        ended = project.run("run", "--run-id", "r1", "--option", "token=hidden-token")
        assert ended.code == 0
        self.no_trace(project, ended.out + ended.err)

    @pytest.mark.parametrize("form", ["key", "json.dumps(key)[1:-1]", "quote(key, safe='')"])
    def test_echoed_secret_is_masked_in_every_file(self, project: RunnerProject, form: str) -> None:
        """A secret that an agent repeats is masked in every file."""
        project.change_agent(
            (
                "import asyncio\n",
                (
                    "import asyncio\nimport json\nfrom urllib.parse import quote\n\n"
                    "from pydantic import BaseModel, SecretStr\n"
                ),
            ),
            (
                "class SampleRunner",
                "class Options(BaseModel):\n    token: SecretStr\n\n\nclass SampleRunner",
            ),
            (
                "        word, _, rest",
                (
                    "        key = self.options.token.get_secret_value()\n"
                    f"        echo = {form}\n"
                    "        if task.id == 't1':\n"
                    "            raise ValueError(echo)\n"
                    "        return GenerationResult(answer=echo, metadata={'said': [echo]})\n"
                    "        word, _, rest"
                ),
            ),
        )
        project.set_in_class("OPTIONS_MODEL = Options")
        project.write_grader(
            "def grade(task, response):\n"
            "    if task['id'] == 't2':\n"
            "        raise ValueError(response)\n"
            "    return {'score': 1.0, 'said': response}\n"
        )
        flags = ["--run-id", "r1", "--option", "token=hidden/token"]
        ended = project.run("run", *flags)
        assert ended.code == 1
        assert "ValueError: ***" in ended.out
        assert project.read("r1", "t3", "generation.json")["data"] == "***"
        assert project.read("r1", "t3", "eval.json")["result"]["said"] == "***"
        log = project.results / "r1" / "t1" / "agent_logs" / "traceback.log"
        assert "ValueError: ***" in log.read_text()
        self.no_trace(project, ended.out + ended.err)

    def test_user_info_of_urls_is_masked(
        self, project: RunnerProject, scripted: ScriptedService
    ) -> None:
        """User names and passwords of URLs are masked."""
        echo = "hidden-user:hidden-password, hidden-other:hidden-secret"
        project.write_tasks([{"id": "t1", "question": f"raise {echo}", "answer": ""}])
        model = "http://hidden-other:hidden-secret@127.0.0.1:9/v1"
        service = scripted.url.replace("://", "://hidden-user:hidden-password@")
        flags = ["--service-url", service, "--custom-endpoint", model]
        ended = project.run("run", "--run-id", "r1", *flags)
        assert ended.code == 1
        assert "ValueError: ***, ***" in ended.out
        config = project.read("r1", "run_config.json")
        assert config["sampling"]["custom_endpoint"] == "http://127.0.0.1:9/v1"
        log = project.results / "r1" / "t1" / "agent_logs" / "traceback.log"
        assert "ValueError: ***, ***" in log.read_text()
        generation = project.read("r1", "t1", "generation.json")
        assert "hidden" not in f"{generation['error']} {log.read_text()} {ended.out} {ended.err}"

    def test_key_echoed_by_load_tasks_is_masked(self, project: RunnerProject) -> None:
        """A key that load_tasks() repeats is not printed."""
        project.set_in_class(
            "def load_tasks(self, dataset_file):\n"
            "        raise ValueError('no access with ' + os.environ['CUSTOM_API_KEY'])"
        )
        for flags in ([], ["--json"]):
            ended = project.run("run", *flags, CUSTOM_API_KEY=self.MODEL_KEY)
            assert ended.code == 2
            assert "no access with ***" in ended.out + ended.err
            assert "hidden" not in ended.out + ended.err
        assert not project.results.exists()

    def test_flag_key_echoed_by_load_tasks_is_masked(self, project: RunnerProject) -> None:
        """A key of a flag that load_tasks() repeats is not printed."""
        project.change_agent(
            ("import asyncio\n", "import asyncio\nimport sys\n"),
        )
        project.set_in_class(
            "def load_tasks(self, dataset_file):\n        raise ValueError(' '.join(sys.argv))"
        )
        ended = project.execute("run", "--custom-api-key", self.MODEL_KEY)
        assert ended.code == 2
        assert "--custom-api-key ***" in ended.err

    def test_option_echoed_by_load_tasks_is_masked(self, project: RunnerProject) -> None:
        """A secret option that load_tasks() repeats is not printed."""
        project.change_agent(
            ("import asyncio\n", "import asyncio\n\nfrom pydantic import BaseModel, SecretStr\n"),
            (
                "class SampleRunner",
                "class Options(BaseModel):\n    token: SecretStr\n\n\nclass SampleRunner",
            ),
        )
        project.set_in_class("OPTIONS_MODEL = Options")
        project.set_in_class(
            "def load_tasks(self, dataset_file):\n"
            "        raise ValueError('no access with ' + self.options.token.get_secret_value())"
        )
        # In a process that has not heard of the secret in another test.
        ended = project.execute("run", "--option", "token=hidden-token")
        assert ended.code == 2
        assert "no access with" in ended.err
        assert "hidden" not in ended.out + ended.err


class TestKeysThatAreNames:
    """What local servers want as a key is often the name of the server."""

    SEEN = (
        "        word, _, rest",
        (
            "        with (ROOT / 'seen.txt').open('a') as seen:\n"
            "            seen.write(f'{model} {task.id}\\n')\n"
            "        word, _, rest"
        ),
    )

    @pytest.mark.parametrize(
        ("key", "flags"),
        [
            ("lm-studio", ["--model", "lm-studio/qwen", "--run-id", "r1"]),
            ("local-run-7", ["--run-id", "local-run-7"]),
            ("question-1", ["--run-id", "r1"]),
            ("validation", ["--run-id", "r1"]),
        ],
        ids=["model", "run id", "task id", "dataset"],
    )
    def test_key_that_is_a_name_spoils_nothing(
        self, project: RunnerProject, key: str, flags: list[str]
    ) -> None:
        """A key that is a model, a run id, a task id or a dataset spoils nothing."""
        project.change_agent(self.SEEN)
        ids = ["question-1", "question-2"]
        project.write_tasks([{"id": i, "question": "say one", "answer": "one"} for i in ids])
        ended = project.run("run", *flags, "question-1", CUSTOM_API_KEY=key)
        assert ended.code == 0, ended.err
        ended = project.run("run", *flags, CUSTOM_API_KEY=key)
        assert ended.code == 0, ended.err
        assert "Resuming run" in ended.out
        assert "***" not in ended.out
        model = "lm-studio/qwen" if key == "lm-studio" else "sample-model"
        seen = (project.root / "seen.txt").read_text().splitlines()
        assert seen == [f"{model} {task_id}" for task_id in ids]
        run_id = flags[-1]
        config = project.read(run_id, "run_config.json")
        assert (config["run_id"], config["model"], config["tasks"]) == (run_id, model, ids)
        assert (config["dataset_name"], sorted(config["task_hashes"])) == ("validation", ids)
        assert "***" not in (project.results / run_id / "run_config.json").read_text()
        assert project.read(run_id, "final_score.json")["tasks_evaluated"] == ids

    @pytest.mark.parametrize(
        ("key", "flags"),
        [
            ("lm-studio", ["--custom-endpoint", "http://lm-studio.invalid:1234/v1"]),
            ("own-tasks", ["--dataset-file", "own-tasks.json"]),
            ("fast-mode", ["--option", "mode=fast-mode"]),
        ],
        ids=["endpoint", "dataset file", "option"],
    )
    def test_key_in_a_setting_spoils_no_resume(
        self, project: RunnerProject, key: str, flags: list[str]
    ) -> None:
        """A key that is part of another setting does not spoil a resume."""
        project.change_agent(
            ("import asyncio\n", "import asyncio\n\nfrom pydantic import BaseModel\n"),
            (
                "class SampleRunner",
                "class Options(BaseModel):\n    mode: str = ''\n\n\nclass SampleRunner",
            ),
        )
        project.set_in_class("OPTIONS_MODEL = Options")
        (project.root / "own-tasks.json").write_text(project.dataset.read_text())
        first = project.run("run", "--run-id", "r1", *flags, "t1", CUSTOM_API_KEY=key)
        assert first.code == 0, first.err
        for again in (flags, []):
            ended = project.run("run", "--run-id", "r1", *again, CUSTOM_API_KEY=key)
            assert ended.code == 0, ended.err
