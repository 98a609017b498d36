"""The HTML file of a report: it needs no network, and runs no script but its own."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from importlib import resources
from typing import TYPE_CHECKING

from benchmark_runner.results import phrases

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup

    from benchmark_runner.results.report.safe_text import SafeText
    from benchmark_runner.results.report.task_table import TaskTable


@dataclass(frozen=True)
class Page:
    """The content of a page.

    Attributes:
        template: The name of its template.
        content: The values for the template.
        table: The table of tasks.
        texts: Makes all texts in it safe for a page.
    """

    template: str
    content: Mapping[str, object]
    table: TaskTable
    texts: SafeText

    def html(self) -> bytes:
        """Return the whole file."""
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup

        from benchmark_runner._versions import RUNTIME_DISTRIBUTION, installed_version

        def fit(value: object) -> object:
            if isinstance(value, Markup) or not isinstance(value, str):
                return value
            return self.texts.shown(value)

        environment = Environment(
            loader=PackageLoader("benchmark_runner.results", "report"),
            autoescape=True,
            finalize=fit,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        made = environment.get_template(self.template).render(
            **self.content,
            phrases=phrases,
            style=Markup(self._style),  # noqa: S704 (a file of ours)
            script=Markup(self._script),  # noqa: S704 (likewise)
            policy=self._policy,
            index=Markup(self.table.index()),  # noqa: S704 (JSON without <, > and &)
            parts=self.table.parts,
            runtime_version=installed_version(RUNTIME_DISTRIBUTION),
        )
        return made.encode()

    @cached_property
    def _style(self) -> str:
        return _file("page.css")

    @cached_property
    def _script(self) -> str:
        return _file("page.js")

    @property
    def _policy(self) -> str:
        """The content security policy: nothing is loaded or sent, and only these hashes run."""
        rules = {
            "default-src": "'none'",
            "script-src": _hash(self._script),
            "style-src": _hash(self._style),
            "base-uri": "'none'",
            "form-action": "'none'",
            "require-trusted-types-for": "'script'",
            "trusted-types": "'none'",
        }
        return "; ".join(f"{name} {value}" for name, value in rules.items())


def as_markup(chart: str) -> Markup:
    """Return a chart as something that is not escaped: Vega has escaped the texts in it."""
    from markupsafe import Markup

    return Markup(chart)  # noqa: S704 (likewise drawn by us)


def _file(name: str) -> str:
    return resources.files("benchmark_runner.results.report").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
