"""Play a scenario on a stage: step by step, said aloud, to a pass or a fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.cluster.interface import ClusterError
from lab.scenarios.script import Script, Step
from lab.scenarios.stage import Failed, Stage
from lab.scenarios.steps import do
from lab.workload.load import Verdict

CAPTION_PACES = 3  # A caption stands for so many paces more.


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a scenario ended."""

    name: str
    passed: bool
    took_s: float  # In the cluster's time.
    failed_at: str = ""  # The step, and why.
    verdict: Verdict | None = None  # Of its load, where it had one.


async def play(
    script: Script, stage: Stage, tell: Callable[[str], None], *, pace_s: float = 0.0
) -> Outcome:
    """
    Do every step; stop at the first that fails. What must always hold is looked at in the end.

    *pace_s* is the pause before each step, for who watches; a caption stands longer. What is begun
    follows at once: a leader that was cut off would have stepped down before it was asked.

    Raises:
        ScenarioError: a step makes no sense.
    """
    began_s = stage.began_s = stage.cluster.now_s()
    failure = ""
    stage.say(f"{script.title}: {script.shows}", "scenario")
    try:
        for step in script.steps:
            tell(f"{stage.cluster.now_s() - began_s:7.2f} s  {step}")
            if step.verb != "#":
                stage.say(str(step))
            if pace_s and step.verb != "begin":
                await stage.cluster.sleep(pace_s)
            failure = await _why_not(stage, step)
            if pace_s and step.verb == "#":
                await stage.cluster.sleep(CAPTION_PACES * pace_s)
            if failure:
                failure = f"line {step.number}, `{step}`: {failure}"
                break
        failure = failure or await _in_the_end(stage)
    finally:
        await stage.end()
    took_s = stage.cluster.now_s() - began_s
    stage.say(f"failed: {failure}" if failure else "passed", "verdict")
    tell(f"{took_s:7.2f} s  {'FAILED ' + failure if failure else 'passed'}")
    return Outcome(
        name=script.name,
        passed=not failure,
        took_s=took_s,
        failed_at=failure,
        verdict=stage.verdict,
    )


async def _why_not(stage: Stage, step: Step) -> str:
    try:
        await do(stage, step)
    except (Failed, ClusterError) as failed:
        return str(failed)
    return ""


async def _in_the_end(stage: Stage) -> str:
    violation = getattr(stage.cluster, "violation", None)
    if violation is not None:
        return str(violation)
    if stage.load is not None:
        await do(stage, Step(number=0, verb="load", words=("off",)))
    if stage.verdict is not None and stage.verdict.broken:
        return stage.verdict.broken
    return stage.view.verdict_why if stage.view.verdict == "UNSAFE" else ""
