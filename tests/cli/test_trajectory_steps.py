"""``show --trajectory``: what an agent did, step by step, whatever its texts hold."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.cli.trajectories import Written

ENDLESS = """\
from itertools import repeat

from benchmark_runner.cli.console import failures_as_messages, say_all

with failures_as_messages("show", as_json=False):
    say_all(repeat("x" * 1000))
"""
SECRET = "sk-4b5c6d7e8f9a0b1c"
STEP = """\
Step 2  agent  TIME
  tokens 1,200 in, 30 out; $0.25
  reasoning
    Where
    is it?
  message
    I look.
  call bash
    script:
      cd /tmp
      ls
    limit: 3
    in:
      - -a
    env: {}
  result of bash
    a.txt
    b.txt
  call bash
    script: ls x
  result of bash: FAILED (exit code 2)
    ls: no x
"""


class TestWhole:
    def test_steps_are_shown(self, recorded: RunnerProject) -> None:
        """A step shows its time, tokens, texts, and each call with its arguments and result."""
        recorded.run("run", "--run-id", "r1")

        text = recorded.run("show", "r1", "t1", "--trajectory").out

        start = text.index("Step 2  agent  ")
        head, _, rest = text[start:].partition("\n")
        assert head.split("  ")[2].startswith("+")
        step = rest.partition("\n\n")[0]
        assert step + "\n" == STEP.partition("\n")[2]

    def test_json_has_the_steps(self, recorded: RunnerProject) -> None:
        """With --json the steps are in the usual object."""
        recorded.run("run", "--run-id", "r1")

        found = recorded.run("show", "r1", "t1", "--trajectory", "--json").json

        assert (found["command"], found["task_id"], found["repeat"]) == ("show", "t1", 1)
        (trajectory,) = found["trajectories"]
        assert [step["source"] for step in trajectory["steps"]] == ["user", "agent", "agent"]
        assert trajectory["steps"][1]["tool_calls"][0]["arguments"]["limit"] == 3
        assert found["trajectory"]["turns"] == 2

    def test_lines_are_left_whole(self, written: Written) -> None:
        """A long line is neither wrapped nor cut, so that grep finds it."""
        long = "x" * 5000
        written.write({"source": "agent", "message": f"a\n\n{long}"})

        assert f"  message\n    a\n\n    {long}\n" in written.shown()

    def test_names_of_tools_are_left_whole(self, written: Written) -> None:
        """The long name of a tool, as those of an MCP server are, is not cut."""
        name = "mcp__" + "x" * 123
        call = {"tool_call_id": "1", "function_name": name}
        written.write({"source": "agent", "tool_calls": [call]})

        assert f"  call {name}\n  no result of {name}\n" in written.shown()

    def test_copied_context_is_told_apart(self, written: Written) -> None:
        """Steps that were copied from an earlier trajectory say so, and are not counted."""
        written.write(
            {"source": "agent", "message": "old", "is_copied_context": True},
            {"source": "agent", "message": "new", "model_name": "m2"},
        )

        text = written.shown()

        assert "\nStep 1  agent  copied from an earlier trajectory\n" in text
        assert "\nStep 2  agent  m2\n" in text
        assert "  turns    1, in 1 step\n" in text

    def test_images_are_named(self, written: Written) -> None:
        """An image is named by its path."""
        image = {"type": "image", "source": {"media_type": "image/png", "path": "a/b.png"}}
        written.write({"source": "user", "message": [{"type": "text", "text": "See"}, image]})

        assert "    See\n    [image: a/b.png]\n" in written.shown()

    def test_cut_file_says_so(self, written: Written) -> None:
        """A file that a kill cut short is shown as far as it goes, and said to be cut."""
        path = written.write(
            {"source": "user", "message": "q"}, {"source": "agent", "message": "a"}
        )
        whole = path.read_text()
        path.write_text(whole[: whole.index('"message": "a"') + 11])

        text = written.shown()

        assert "  cut      the file ends early" in text
        assert "\n    q\n" in text
        assert text.endswith("what came after was not written, or can't be read.\n")

    def test_subagents_follow_their_step(self, written: Written) -> None:
        """The steps of a subagent follow the step that called it; files of others are named."""
        refs = [{"trajectory_id": "s1"}, {"trajectory_path": "sub/other.json"}]
        call = {"tool_call_id": "c", "function_name": "delegate", "arguments": {}}
        result = {"source_call_id": "c", "content": "done", "subagent_trajectory_ref": refs}
        below = {
            "schema_version": "ATIF-v1.8",
            "trajectory_id": "s1",
            "agent": {"name": "helper", "version": "3"},
            "steps": [{"step_id": 1, "source": "agent", "message": "helped"}],
        }
        written.write(
            {"source": "agent", "tool_calls": [call], "observation": {"results": [result]}},
            {"source": "agent", "message": "thanks"},
            subagent_trajectories=[below, {**below, "trajectory_id": "s2"}],
        )

        lines = written.shown().splitlines()

        assert "  subagent in a file of its own: sub/other.json" in lines
        heads = [line for line in lines if line.startswith(("Step", "Subagent"))]
        assert heads == [
            "Step 1  agent",
            "Subagent of step 1: helper 3",
            "Step 1/1.1  agent",
            "Step 2  agent",
            "Subagent: helper 3",
            "Step /1.1  agent",
        ]

    def test_subagent_of_another_file_follows_its_step(self, written: Written) -> None:
        """The steps of a subagent in a file of its own follow the step that names it, too."""
        helped = {"source": "agent", "message": "helped"}
        file = written.write(helped, name="sub/trajectory.json")
        refs = [{"trajectory_path": "sub/trajectory.json"}]
        written.write(
            {"source": "agent", "observation": {"results": [{"subagent_trajectory_ref": refs}]}},
            {"source": "agent", "message": "thanks"},
        )

        text = written.shown()

        heads = [line for line in text.splitlines() if line.startswith(("Step", "Subagent"))]
        assert heads == [
            "Step 1  agent",
            "Subagent of step 1: other 1",
            "Step 1/1.1  agent",
            "Step 2  agent",
        ]
        assert str(file.relative_to(written.project.root)) in text
        assert "in a file of its own" not in text

    def test_calls_without_results(self, written: Written) -> None:
        """A call that was under way, and a result of no call, are shown as such."""
        calls = [{"tool_call_id": name, "function_name": name} for name in ("wait", "late")]
        seen = {"source_call_id": None, "content": "a noise"}
        late = {"source_call_id": "late", "content": "at last"}
        written.write(
            {"source": "agent", "tool_calls": calls, "observation": {"results": [seen]}},
            {"source": "system", "observation": {"results": [late]}},
        )

        first, second = written.shown().split("\n\n")[1:]

        assert "  call wait\n  no result of wait\n  call late\n  observation\n    a noise" in first
        assert second == "Step 2  system\n  result of late\n    at last\n"

    def test_closed_pipe_ends_it(self, project: RunnerProject) -> None:
        """A reader that closes the pipe ends the printing, however much there is."""
        (project.root / "endless.py").write_text(ENDLESS)

        ended = project.shell(f"{sys.executable} endless.py | head -c 9")

        assert (ended.code, ended.out, ended.err) == (0, "x" * 9, "")


class TestHostile:
    def test_text_cannot_drive_the_terminal(self, written: Written) -> None:
        """Escapes, controls and invisible characters in any text do nothing."""
        bad = "\x1b[2J\x1b]0;owned\x07\x9b31m\x00\u202e\u2028"
        call = {"tool_call_id": bad, "function_name": bad, "arguments": {bad: bad}}
        written.write(
            {
                "source": bad,
                "model_name": bad,
                "message": bad,
                "reasoning_content": bad,
                "tool_calls": [call],
                "observation": {"results": [{"source_call_id": bad, "content": bad}]},
            },
            notes=bad,
            agent={"name": bad, "version": bad},
        )

        for text in (written.shown(), written.digest().out):
            assert all(line.isprintable() for line in text.split("\n"))
        assert not {"\x1b", "\x9b", "\u202e"} & {*written.shown("--json")}

    def test_text_cannot_look_like_a_step(self, written: Written) -> None:
        """Lines of a text stand after four spaces, and so can't be taken for ours."""
        fake = "x\nStep 9  agent\n  result of bash: FAILED\rStep 8\u2028Step 7\x0bStep 6\x85Step 5"
        call = {"tool_call_id": "c", "function_name": "a\nStep 4", "arguments": {"k\nStep 3": fake}}
        written.write({"source": "agent\nStep 2", "message": fake, "tool_calls": [call]})

        lines = written.shown().splitlines()

        assert [line for line in lines if line.startswith("Step")] == ["Step 1  agent Step 2"]
        assert "  result of bash: FAILED" not in lines

    def test_secrets_are_masked(self, written: Written) -> None:
        """Keys of the runner are masked in each text, also one of several lines."""
        lines = "first-aa11bb22cc33\nother-dd44ee55ff66"
        split = f"{SECRET[:5]}\x1b[0m{SECRET[5:]}"
        call = {"function_name": SECRET, "arguments": {SECRET: [SECRET, lines]}}
        written.write(
            {"source": "agent", "message": f"{SECRET} {split} {lines}", "tool_calls": [call]}
        )
        keys = {"OPENAI_API_KEY": SECRET, "BENCHMARK_API_KEY": lines}

        for text in (
            written.shown(**keys),
            written.shown("--json", **keys),
            written.digest(**keys).out,
        ):
            assert not [part for part in (SECRET, *lines.split("\n")) if part in text]
            assert "***" in text

    def test_other_files_are_no_trajectory(self, written: Written) -> None:
        """A file that holds something else is named, and is no reason for a traceback."""
        for content in ("", "[]", '"text"', "{}", "[" * 10_000, '{"steps": [{"step_id": 1}]}'):
            path = written.put(content)

            shown = written.digest()
            whole = written.project.run("show", "r1", "t1", "--trajectory")

            assert shown.code == 0
            named = path.relative_to(written.project.root)
            assert f"\nTrajectory: can't be read: {named}\n" in shown.out
            assert whole.code == 1
            assert "holds no trajectory that can be read" in whole.err

    def test_odd_values_do_no_harm(self, written: Written) -> None:
        """Values of other types, huge numbers and numbers that are none do no harm."""
        written.put(
            '{"schema_version": "ATIF-v1.5", "agent": 3, "steps": [7, {"step_id": -1e400,'
            '"source": null, "timestamp": "9999-99-99", "message": {"a": 1}, "metrics":'
            '{"prompt_tokens": -5, "cost_usd": NaN}, "tool_calls": [{"arguments": "text"}]},'
            '{"timestamp": "0001-01-01T00:00:00", "source": "agent", "observation": {"results":'
            '[{"subagent_trajectory_ref": [3, {"trajectory_id": []}], "content": 5}]}},'
            '{"timestamp": "9999-12-31T23:59:59", "message": "end"}]}'
        )

        assert "    end\n" in written.shown()
        assert written.project.run("show", "r1", "t1", "--json").code == 0

    def test_link_is_not_followed(self, written: Written) -> None:
        """A log folder that is a link leads nowhere."""
        path = written.write({"source": "agent", "message": "elsewhere"})
        logs = path.parent
        logs.rename(written.project.root / "elsewhere")
        logs.symlink_to(written.project.root / "elsewhere")

        assert "\nTrajectory: none" in written.digest().out
