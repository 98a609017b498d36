import json

from click.testing import CliRunner

from runner.cli import cli


def test_run_skip_eval(tmp_path):
    args = ["run", "--model", "baseline", "--run-id", "r", "--skip-eval", "--results-dir", str(tmp_path), "read-clock"]
    result = CliRunner().invoke(cli, args)
    assert result.exit_code == 0, result.output
    generation = json.loads((tmp_path / "r" / "read-clock" / "generation.json").read_text())
    assert generation["data"] == "14"


def test_unknown_task(tmp_path):
    args = ["run", "--model", "baseline", "--run-id", "r", "--skip-eval", "--results-dir", str(tmp_path), "nope"]
    result = CliRunner().invoke(cli, args)
    assert result.exit_code == 1
    assert "Unknown task IDs: ['nope']" in result.output
