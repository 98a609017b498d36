import pytest

from runner.benchmark import RomanBenchRunner


@pytest.fixture
def runner() -> RomanBenchRunner:
    return RomanBenchRunner(service_url="http://127.0.0.1:1", dataset_name="roman-v2")
