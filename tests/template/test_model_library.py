"""The sample agent of the model library, with the versions of it that a copy may install."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Run
    from tests.template.conftest import CopyTemplate

#: All settings at once, as a port of another runner has them.
CONVERT = """
from benchmark_runner import build_llm_config
config = build_llm_config(
    max_tokens=5, temperature=0.5, top_p=0.5, top_k=5, reasoning_effort="low",
    custom_endpoint="http://localhost/v1", custom_api_key="k",
    chat_completions=True, disable_streaming=True,
)
plain = config.to_model_library()
assert (plain.native, plain.max_tokens, plain.custom_endpoint) == (False, 5, "http://localhost/v1")
for model in ("openai/gpt-4.1-mini-2025-04-14", "unknown/model", "model"):
    settings = config.to_model_library(model)
    assert settings.native
    assert settings.provider_config.use_completions
    assert not settings.provider_config.stream_completions
settings = config.to_model_library("anthropic/claude")
assert not settings.native
assert not settings.provider_config.stream_completions
assert settings.custom_api_key.get_secret_value() == "k"
"""


@pytest.mark.full
@pytest.mark.parametrize("version", ["oldest", "newest"])
def test_sample_works_with_each_model_library(
    version: str, copy_template: CopyTemplate, run: Run, tmp_path: Path
) -> None:
    """The sample and the settings work with the oldest and the newest version that is allowed."""
    project = copy_template(tmp_path / "my-bench", sample_agent="model-library")
    found = re.search(r'"(model-library)>=([\d.]+),', (project / "pyproject.toml").read_text())
    assert found is not None
    wanted = f"{found[1]}=={found[2]}" if version == "oldest" else found[1]
    run("uv", "venv", "--quiet", cwd=project)
    into = ("--python", ".venv/bin/python")
    run("uv", "pip", "install", "--quiet", *into, "--editable", ".", "pytest", wanted, cwd=project)
    python = project / ".venv/bin/python"
    run(python, "-c", CONVERT, cwd=project)
    assert "passed" in run(python, "-m", "pytest", "tests/test_benchmark.py", cwd=project)
