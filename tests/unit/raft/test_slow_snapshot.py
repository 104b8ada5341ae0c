"""A new server that needs longer than the leader's patience for a snapshot (PROTOCOL C2)."""

from __future__ import annotations

from tests.scenarios.runner import run_scenario

BEGIN = """\
cluster n1
lead n1
propose n1 x times=9
snapshot n1 11
spare n2
add n1 n2
deliver
deliver
deliver
"""
WAIT = "time 0.3\ndeliver\ndeliver\n"


def test_a_download_is_progress_though_no_entry_comes() -> None:
    told = run_scenario(BEGIN + WAIT * 100 + "members n1\nfetched n2\nsettle\nmembers n1\n----\n")
    assert "n1 members at 12: n1 learners n2" in told
    assert told.count("n2 fetches snapshot 1/11 from n1") == 1
    assert "n1 members at 14: n1,n2\n" in told


def test_a_download_that_fails_again_and_again_is_none() -> None:
    told = run_scenario(
        BEGIN + (2 * WAIT + "fetch-failed n2\n") * 20 + "settle\nmembers n1\n----\n"
    )
    assert "n1 answers #10 UNAVAILABLE" in told
    assert "n1 members at 13: n1\n" in told
