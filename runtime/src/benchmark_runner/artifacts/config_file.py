"""The file of a run's settings and tasks, whatever it holds."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import JsonValue

from benchmark_runner.artifacts.run_files import RunFiles
from benchmark_runner.errors import ArtifactError

__all__ = ["ConfigFile"]


class ConfigFile(RunFiles):
    """The part of a run's folder that is ``run_config.json``."""

    @property
    def run_config_path(self) -> Path:
        """The file with the run's settings and tasks."""
        return self.run_dir / "run_config.json"

    def config_content(self) -> bytes | None:
        """Return the content of ``run_config.json``; ``None`` without one."""
        return self._storage.read(self.run_config_path)

    def config_hash(self) -> str | None:
        """Return the SHA-256 of ``run_config.json``; ``None`` without one."""
        content = self.config_content()
        return None if content is None else hashlib.sha256(content).hexdigest()

    def load_run_config(self) -> dict[str, JsonValue] | None:
        """Read ``run_config.json`` as plain JSON; ``None`` if there is none.

        Raises:
            ArtifactError: the file can't be read.
        """
        config: dict[str, JsonValue] | None
        try:
            config = json.loads(self.config_content() or b"null")
        except ValueError:
            message = f"{self.run_config_path}: can't be read: its content is damaged"
            raise ArtifactError(message, hint="Restore the file, or use another run id.") from None
        return config

    def save_run_config(self, config: Mapping[str, JsonValue]) -> None:
        """Write ``run_config.json``, as scripts of the earlier framework do."""
        data = json.dumps(config, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace")
        content = self.redactor.clean_json(data + b"\n", indent=2)
        self._storage.write(self.run_config_path, content, folders=1)
