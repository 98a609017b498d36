"""The version of a service's dataset that a run is of, for its whole life."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from benchmark_runner._run.service_settings import LOCAL
from benchmark_runner.client.version_header import lost_version_hint
from benchmark_runner.errors import (
    NotFoundError,
    RunIdentityError,
    ServiceError,
    ServiceUnavailableError,
    UnsupportedError,
    UsageError,
)
from benchmark_runner.schemas import DatasetVersion

if TYPE_CHECKING:
    from benchmark_runner.checkpoint import RunConfig
    from benchmark_runner.client.service_client import BenchmarkServiceClient
    from benchmark_runner.schemas import VersionResponse

_FAILED = HTTPStatus.INTERNAL_SERVER_ERROR
_WITHOUT_CHOICE = "Leave out --dataset-version"


def recorded_version(config: RunConfig) -> DatasetVersion | None:
    """Return the version that a run is of; ``None`` if it is of none in particular."""
    if config.dataset_version_id is None:
        return None
    version = config.dataset_version
    label = None if version == config.dataset_version_id else version
    return DatasetVersion.model_construct(id=config.dataset_version_id, label=label)


def record_version(config: RunConfig, version: DatasetVersion, selector: str | None) -> None:
    """Record the version that a run is of, and how it was chosen."""
    config.dataset_version_id, config.dataset_version = version.id, version.name
    config.dataset_version_selector = selector


async def choose_version(
    client: BenchmarkServiceClient, dataset: str | None, selector: str | None
) -> DatasetVersion | None:
    """Return the version that a run is to be of, and pin the client to it.

    Without a selector, it is the service's default one; ``None`` where the service keeps none.

    Raises:
        UnsupportedError: a version was asked for, and the service keeps none.
        ServiceError: the service does not name the version.
    """
    known = await _versions(client, dataset, is_needed=selector is not None)
    if known is not None and known.keeps_versions:
        version = await client.resolve_dataset(dataset, selector)
        client.pin(version)
        return version
    if selector is None:
        return None
    named = "the default dataset" if dataset is None else f"dataset {dataset!r}"
    service = client.calls.service
    way = "name a service that keeps versions"
    if client.local:
        way = "use --dataset-name with a dataset that has files such as data/NAME@1.2.json"
    raise UnsupportedError(
        f"could not choose version {selector!r} of {named} {service}: it keeps no versions of it",
        hint=f"{_WITHOUT_CHOICE}, or {way}.",
    )


async def _versions(
    client: BenchmarkServiceClient, dataset: str | None, *, is_needed: bool
) -> VersionResponse | None:
    try:
        return await client.version(dataset)
    except ServiceError as error:
        # One that is down or busy may keep versions; one that fails at this path has none.
        is_down = isinstance(error, ServiceUnavailableError) and error.status_code != _FAILED
        if is_needed or is_down:
            raise
        return None


async def pin_to_recorded(
    client: BenchmarkServiceClient, config: RunConfig, selector: str | None
) -> None:
    """Pin the client to the version that a run is of, if it is of one.

    Another service has an id of its own for the version of the same label.

    Raises:
        RunIdentityError: the selector means another one.
        ServiceError: another service has no version of that label.
    """
    version = recorded_version(config)
    if version is not None and version.label is not None and _is_elsewhere(client, config):
        try:
            found = await client.resolve_dataset(config.dataset_name, version.label)
        except NotFoundError as error:
            error.hint = lost_version_hint(version)  # the run chose it, not this command
            raise
        if found.label != version.label:
            raise other_version(config, found.name)
        record_version(config, found, config.dataset_version_selector)
        version = found
    if not is_same_choice(config, selector):
        asked = version and await client.resolve_dataset(config.dataset_name, selector)
        if version is None or asked is None or asked.id != version.id:
            raise other_version(config, asked.name if asked is not None else f"{selector!r}")
    if version is not None:
        client.pin(version)


def _is_elsewhere(client: BenchmarkServiceClient, config: RunConfig) -> bool:
    url = LOCAL if client.local else client.base_url
    before = (config.service_url or url).rstrip("/")
    return url.casefold() != before.casefold()


def is_same_choice(config: RunConfig, selector: str | None) -> bool:
    """Return True if a selector is none, or the one of the run, or names the run's version."""
    same = (config.dataset_version_selector, config.dataset_version_id)
    known = (*same, config.dataset_version) if config.dataset_version_id is not None else same
    return selector is None or selector in known


def other_version(config: RunConfig, asked: str) -> RunIdentityError:
    """Return the error of a run that is to be resumed with another version of its dataset."""
    version = recorded_version(config)
    was = "without a choice of a version" if version is None else f"with version {version.name}"
    return RunIdentityError(
        f"run {config.run_id!r} was started {was} of its dataset, not with version {asked}",
        hint=f"{_WITHOUT_CHOICE} to resume it, or use another --run-id for a new run.",
    )


def refuse_late_choice(config: RunConfig | None, selector: str | None, *, skip_eval: bool) -> None:
    """Refuse a choice for a run of a file that comes too late, or that no service is asked about.

    Raises:
        RunIdentityError: the run is of none, or of another one as far as is known.
        UsageError: nothing is known of versions.
    """
    if config is not None:
        if not is_same_choice(config, selector) and (skip_eval or not config.dataset_version_id):
            raise other_version(config, f"{selector!r}")
    elif skip_eval and selector is not None:
        raise UsageError(
            "--dataset-version needs the service, which --skip-eval does not ask about the tasks "
            "of a file",
            hint=f"{_WITHOUT_CHOICE} or --skip-eval, or take the tasks from the service with "
            "--dataset-name.",
        )
