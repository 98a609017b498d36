"""``show``: the digest of what an agent did, and which attempt it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.conftest import RunnerProject
    from tests.cli.trajectories import Written


def section(text: str, heading: str) -> str:
    """The lines from a heading to the next empty line."""
    return text.partition(f"\n\n{heading}")[2].partition("\n\n")[0]


class TestDigest:
    def test_digest_is_shown(self, recorded: RunnerProject) -> None:
        """Of a trajectory, show prints turns, tools, tokens, cost and the last message."""
        recorded.run("run", "--run-id", "r1")

        lines = section(recorded.run("show", "r1", "t1").out, "Trajectory").splitlines()

        for line in (
            "  agent    finder 2, sample-model",
            "  turns    2, in 3 steps",
            "  tools    2 calls, 1 failed",
            "           bash  2 calls, 1 failed",
            "  tokens   1,200 in, 30 out",
            "  cost     $0.25",
            "  last     It is 42.",
            "  file     results/r1/t1/agent_logs/trajectory.json",
        ):
            assert line in lines
        assert lines[-1].startswith("  whole    ")

    def test_whole_trajectory_is_one_command(self, recorded: RunnerProject) -> None:
        """The command in the digest prints the whole trajectory."""
        recorded.run("run", "--run-id", "r1")
        text = recorded.execute("show", "r1", "t1").out
        (command,) = [line[11:] for line in text.splitlines() if line.startswith("  whole ")]

        ended = recorded.shell(command)

        assert ended.out.startswith("Trajectory of task t1 of run r1\n")

    def test_digest_in_json(self, recorded: RunnerProject) -> None:
        """The JSON has the digest as an object, and null without a trajectory."""
        recorded.run("run", "--run-id", "r1")

        found = recorded.run("show", "r1", "t1", "--json").json["trajectory"]

        path = recorded.results / "r1" / "t1" / "agent_logs" / "trajectory.json"
        assert found["files"] == [str(path)]
        assert (found["turns"], found["steps"], found["is_cut"]) == (2, 3, False)
        assert found["tools"] == {"bash": {"calls": 2, "failed": 1}}
        assert (found["cost"], found["last_message"]) == (0.25, "It is 42.")
        path.unlink()
        assert recorded.run("show", "r1", "t1", "--json").json["trajectory"] is None

    def test_last_message_is_cut_to_lines(self, written: Written) -> None:
        """A long last message is cut to three lines of at most 80 columns."""
        written.write({"source": "agent", "message": "word " * 500})

        text = section(written.digest().out, "Trajectory")

        lines = [line for line in text.splitlines() if "word" in line]
        assert len(lines) == 3
        assert max(map(len, lines)) <= 80
        assert lines[-1].endswith("…")

    def test_long_names_of_tools_differ(self, written: Written) -> None:
        """Long names of tools that begin alike stay apart, within 80 columns."""
        names = [f"mcp__{'x' * 50}__{verb}" for verb in ("read", "write")]
        calls = [{"tool_call_id": name, "function_name": name} for name in names]
        written.write({"source": "agent", "tool_calls": calls})

        lines = section(written.digest().out, "Trajectory").splitlines()

        rows = [line for line in lines if "mcp__" in line]
        assert [row.partition("…")[2].split()[0][-7:] for row in rows] == ["x__read", "__write"]
        assert max(map(len, rows)) <= 80

    def test_more_files_are_named(self, written: Written) -> None:
        """Several trajectories are counted together; a file that holds none is named apart."""
        for name in ("trajectory.json", "2/trajectory.json"):
            written.write({"source": "agent", "message": "x"}, name=name)
        written.put("no JSON", "3/trajectory.json")

        text = section(written.digest().out, "Trajectory")

        logs = "results/r1/t1/agent_logs"
        assert "  turns    2, in 2 steps" in text
        assert f"  file     {logs}/trajectory.json\n" in text
        assert f"           {logs}/2/trajectory.json\n" in text
        assert f"           {logs}/3/trajectory.json (not counted)" in text


class TestWhich:
    def test_killed_attempt_is_shown(self, recorded: RunnerProject) -> None:
        """The trajectory of a killed attempt is shown before there is a generation."""
        recorded.write_tasks([{"id": "t1", "question": "die", "answer": "42"}])
        recorded.execute("run", "--run-id", "r1")

        ended = recorded.run("show", "r1", "t1")

        assert ended.out.startswith("Task t1 of run r1: not generated yet\n")
        assert "  tools    2 calls, 1 failed\n" in ended.out
        assert "\n  result of bash: FAILED" in recorded.run("show", "r1", "t1", "--trajectory").out

    def test_earlier_attempt_is_shown(self, recorded: RunnerProject) -> None:
        """The trajectory of an earlier attempt is shown by its number."""
        recorded.run("run", "--run-id", "r1")
        recorded.run("run", "--run-id", "r1", "t1", "--rerun", "t1")
        earlier = recorded.results / "r1" / "t1" / "attempts" / "1" / "agent_logs"

        ended = recorded.run("show", "r1", "t1", "--trajectory", "--attempt", "1")

        assert "\n  earlier  attempt 1: --attempt N\n" in recorded.run("show", "r1", "t1").out
        assert ended.out.startswith("Trajectory of task t1 of run r1, attempt 1\n")
        assert f"  file     {earlier.relative_to(recorded.root)}/trajectory.json\n" in ended.out
        current = recorded.run("show", "r1", "t1", "--trajectory", "--attempt", "2")
        assert "  file     results/r1/t1/agent_logs/trajectory.json\n" in current.out

    def test_attempt_with_one_is_named(self, recorded: RunnerProject) -> None:
        """An earlier attempt that alone has a trajectory is named with its command."""
        recorded.run("run", "--run-id", "r1")
        recorded.run("run", "--run-id", "r1", "t1", "--rerun", "t1")
        (recorded.results / "r1" / "t1" / "agent_logs" / "trajectory.json").unlink()

        shown = recorded.run("show", "r1", "t1")
        whole = recorded.run("show", "r1", "t1", "--trajectory")

        assert "\nTrajectory: none\n  attempt 1: " in shown.out
        assert "show --trajectory --attempt 1 r1 t1\n" in shown.out
        assert whole.code == 2
        assert "--attempt 1" in whole.err

    def test_repeat_is_shown(self, recorded: RunnerProject) -> None:
        """Each repeat has a trajectory of its own."""
        recorded.run("run", "--run-id", "r1", "--repeats", "2")

        shown = recorded.run("show", "r1", "t1", "--repeat", "2")
        whole = recorded.run("show", "r1", "t1", "--repeat", "2", "--trajectory")

        assert "  file     results/r1/t1/repeats/2/agent_logs/trajectory.json\n" in shown.out
        assert "show --trajectory --repeat 2 r1 t1\n" in shown.out
        assert whole.out.startswith("Trajectory of task t1 of run r1, repeat 2\n")

    def test_task_without_one_says_what_to_do(self, project: RunnerProject) -> None:
        """A task without a trajectory says so, and what would record one."""
        project.run("run", "--run-id", "r1", "t1")

        shown = project.run("show", "r1", "t1")
        whole = project.run("show", "r1", "t1", "--trajectory")

        line = "Trajectory: none; generate() can record one with benchmark_runner.trajectory"
        assert line in shown.out.splitlines()
        assert whole.code == 2
        assert "t1 has no trajectory in results/r1/t1/agent_logs" in whole.err
        assert "trajectory.json" in whole.err

    def test_attempt_needs_trajectory(self, recorded: RunnerProject) -> None:
        """--attempt alone is refused, and so is the number of an attempt that is not there."""
        recorded.run("run", "--run-id", "r1")

        alone = recorded.run("show", "r1", "t1", "--attempt", "1")
        missing = recorded.run("show", "r1", "t1", "--attempt", "7", "--trajectory")

        assert (alone.code, missing.code) == (2, 2)
        assert "--attempt needs --trajectory" in alone.err
        assert "t1 has no attempt 7\nIts current attempt is 1," in missing.err
