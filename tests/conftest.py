"""What every test shares: `--rewrite`, and when the Docker tests run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lab.setup.shell import why_no_docker

# Screens are compared as text and colours: the terminal that runs the tests must not matter.
os.environ.pop("NO_COLOR", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="record what happened into the stories and screens"
    )


@pytest.fixture(scope="session", autouse=True)
def _settings_of_nobody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the lab away from the settings of whoever runs the tests."""
    before = os.environ.get("XDG_CONFIG_HOME")
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    yield
    if before is None:
        del os.environ["XDG_CONFIG_HOME"]
    else:
        os.environ["XDG_CONFIG_HOME"] = before


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--rewrite"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the Docker tests, with the reason, where there is no Docker; else they must work."""
    of_docker = [item for item in items if item.get_closest_marker("docker")]
    why_not = why_no_docker() if of_docker else ""
    for item in of_docker:
        if why_not:
            item.add_marker(pytest.mark.skip(reason=why_not))
        item.add_marker(pytest.mark.xdist_group("docker"))  # One engine: one after another.


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say of each planted mistake what caught it, and after how many seeds."""
    told = [
        str(said)
        for report in terminalreporter.getreports("passed")
        for name, said in report.user_properties
        if name == "planted"
    ]
    if told:
        terminalreporter.section(f"{len(told)} planted mistakes were caught")
        for line in sorted(told):
            terminalreporter.write_line(line)
