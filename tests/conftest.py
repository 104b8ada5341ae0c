"""What every test shares: `--rewrite`, and when the Docker tests run."""

from __future__ import annotations

import os

import pytest

from lab.setup.shell import why_no_docker

# Screens are compared as text and colours: the terminal that runs the tests must not matter.
os.environ.pop("NO_COLOR", None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="record what happened into the stories and screens"
    )


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
