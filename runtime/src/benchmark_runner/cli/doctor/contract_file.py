"""``contract.yaml``, which tells an orchestrator how to install and run the agent."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from benchmark_runner._text import did_you_mean
from benchmark_runner.cli.doctor.findings import Finding, fault
from benchmark_runner.errors import UsageError

__all__ = [
    "CONTRACT_FILE",
    "Artifact",
    "Contract",
    "Table",
    "check_shape",
    "has_contract",
    "read_contract",
]

Table = Mapping[str, object]

CONTRACT_FILE = "contract.yaml"
_TEXTS = ("name", "install_cmd", "run_cmd")
_KEYS = (
    *_TEXTS,
    "defaults",
    "final_output",
    "install_egress",
    "kwargs",
    "output_artifacts",
    "provided",
    "secrets",
)
_TYPES = frozenset({"str", "int", "float", "bool", "dict"})
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
#: How keys of well-known services begin; the name of a stored one may be any other text.
_KEY = re.compile(
    r"(?:sk|rk|xai|gsk|hf|gh[oprsu]|github_pat|glpat|xox[abp])[-_]\S{16}|AKIA\w{16}|AIza\S{16}"
)
#: Where a file that is given without a source is taken from.
_SHORTHAND_FOLDER = "/tmp/valkyrie"  # noqa: S108 (in a container)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that is collected by itself: where it is, and its name."""

    source: str
    path: str


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract, as far as its values have the right types; ``text`` is the whole file."""

    text: str
    content: Table

    def get(self, name: str) -> str:
        """Return a value that is a text; empty if there is none."""
        value = self.content.get(name)
        return value if isinstance(value, str) else ""

    @property
    def parameters(self) -> dict[str, Table]:
        """The placeholders that may be given values: the defaults, and the kwargs."""
        tables = (_table(self.content.get(name)) for name in ("defaults", "kwargs"))
        return {name: _table(each) for table in tables for name, each in table.items()}

    @property
    def secrets(self) -> list[str]:
        """The variables with keys."""
        value = self.content.get("secrets")
        if isinstance(value, list):
            return [str(name) for name in cast("list[object]", value)]
        return [*_table(value)]

    @property
    def literal_keys(self) -> list[str]:
        """The variables whose value is a key, instead of the name of one."""
        values = _table(self.content.get("secrets"))
        return [name for name, value in values.items() if _KEY.match(str(value))]

    @property
    def artifacts(self) -> list[Artifact]:
        """The files that are collected."""
        return [*map(_artifact, _list(self.content.get("output_artifacts")))]

    @property
    def placeholders(self) -> list[str]:
        """The placeholders in ``run_cmd``."""
        return [*dict.fromkeys(_PLACEHOLDER.findall(self.get("run_cmd")))]


def has_contract(root: Path) -> bool:
    """Return True if anything is in the contract's place, be it a link that leads nowhere."""
    return os.path.lexists(root / CONTRACT_FILE)


def read_contract(root: Path) -> Contract:
    """Return the contract of the project.

    Raises:
        UsageError: it can't be read.
    """
    path = root / CONTRACT_FILE
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise UsageError(f"{CONTRACT_FILE} is no file", hint="Restore it from git.")
    try:
        text = path.read_text(encoding="utf-8")
        content: object = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise UsageError(f"{CONTRACT_FILE} can't be read: {reason}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # such as a day 32, for a date
        # Its own message may quote the file.
        mark = cast("yaml.Mark | None", getattr(error, "problem_mark", None))
        where = f", at line {mark.line + 1}" if mark else ""
        hint = "Put a text with braces or colons into quotes."
        raise UsageError(f"{CONTRACT_FILE} is no YAML{where}", hint=hint) from None
    if not isinstance(content, dict):
        raise UsageError(f"{CONTRACT_FILE} holds no keys", hint="Restore it from git.")
    return Contract(text, _table(cast("object", content)))


def check_shape(contract: Contract) -> Iterator[Finding]:
    """Yield the problems that the file has by itself."""
    for name in _TEXTS:
        if not contract.get(name).strip():
            yield fault(f"{name} is missing, or no text", advice=f"Add {name}: to the file.")
    for name in contract.content:
        if name not in _KEYS and (meant := did_you_mean(name, _KEYS)):
            yield fault(f"{name} is no key that an orchestrator knows", advice=meant.strip())
    if not _is_egress(contract.content.get("install_egress", "*")):
        yield fault("install_egress is no list of hosts", advice='Give a list, or "*" for all.')
    if not isinstance(contract.content.get("output_artifacts", []), list):
        advice = "Give a path: and a source: for each."
        yield fault("output_artifacts is no list", advice=advice)
    if not isinstance(contract.content.get("secrets", {}), (dict, list)):
        yield fault("secrets is no table", advice="Give NAME: VALUE_OF_THE_ORCHESTRATOR lines.")
    for name, each in contract.parameters.items():
        yield from _check_parameter(name, each, contract)


def _check_parameter(name: str, given: Table, contract: Contract) -> Iterator[Finding]:
    if given.get("type", "str") not in _TYPES:
        advice = f"Give one of {', '.join(sorted(_TYPES))}."
        yield fault(f"{name} has the type {given.get('type')!r}", advice=advice)
    if name not in contract.placeholders:
        advice = f'Add it to run_cmd, as in --{name} "{{{name}}}", or remove it.'
        yield fault(f"{name} is not in run_cmd, so its value has no effect", advice=advice)
    elif given.get("required") is not True and given.get("default") is None:
        advice = "Add a default, or required: true."
        yield fault(f"{name} has no default, and need not be given", advice=advice)
    choices, default = _list(given.get("choices")), given.get("default")
    if choices and default is not None and default not in choices:
        advice = "Add it there, or give another default."
        yield fault(f"the default {default!r} of {name} is not one of its choices", advice=advice)


def _is_egress(value: object) -> bool:
    return value == "*" or (
        isinstance(value, list)
        and all(isinstance(each, str) for each in cast("list[object]", value))
    )


def _artifact(entry: object) -> Artifact:
    if isinstance(entry, str):
        return Artifact(f"{_SHORTHAND_FOLDER}/{entry}", entry)
    table = _table(entry)
    return Artifact(str(table.get("source", "")), str(table.get("path", "")))


def _table(value: object) -> Table:
    items = cast("dict[object, object]", value).items() if isinstance(value, dict) else ()
    return {str(name): each for name, each in items}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
