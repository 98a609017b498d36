"""The HTML file of a report: it needs no network, and runs no script but its own."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib import resources

from benchmark_runner._versions import RUNTIME_DISTRIBUTION, installed_version
from benchmark_runner.results import phrases
from benchmark_runner.results.report.safe_text import SafeText
from benchmark_runner.results.report.task_table import TaskTable

__all__ = ["render_page"]


def render_page(
    template: str, content: Mapping[str, object], table: TaskTable, texts: SafeText
) -> bytes:
    """Return the page that a template makes of ``content`` and the table of tasks."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def fit(value: object) -> object:
        if isinstance(value, Markup) or not isinstance(value, str):
            return value
        return texts.shown(value)

    environment = Environment(
        loader=PackageLoader("benchmark_runner.results", "report"),
        autoescape=True,
        finalize=fit,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _file("page.css"), _file("page.js")
    page = environment.get_template(template).render(
        **content,
        phrases=phrases,
        style=Markup(style),  # noqa: S704 (a file of ours)
        script=Markup(script),  # noqa: S704 (likewise)
        policy=_policy(style, script),
        index=Markup(table.index()),  # noqa: S704 (JSON without <, > and &)
        parts=table.parts,
        runtime_version=installed_version(RUNTIME_DISTRIBUTION),
    )
    return page.encode()


def _policy(style: str, script: str) -> str:
    """Return the content security policy: nothing is loaded or sent, and only these two run."""
    rules = {
        "default-src": "'none'",
        "script-src": _hash(script),
        "style-src": _hash(style),
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _file(name: str) -> str:
    return resources.files("benchmark_runner.results.report").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
