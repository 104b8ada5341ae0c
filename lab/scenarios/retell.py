"""Tell a story again in the simulator, up to where it was: what cannot be done is said."""

from __future__ import annotations

from collections.abc import Callable

from lab.cluster.interface import ClusterError
from lab.scenarios.play import Outcome
from lab.scenarios.saved import NOT_THE_SCHEDULE
from lab.scenarios.script import Script
from lab.scenarios.stage import Failed, Stage
from lab.scenarios.steps import do


async def retell(script: Script, stage: Stage, stand_still: Callable[[], None]) -> Outcome:
    """
    Do every step, then *stand_still*; one that fails does not end the story.

    It has passed where each could be done.

    Raises:
        ScenarioError: a step makes no sense.
    """
    stage.began_s = stage.cluster.now_s()
    stage.say(f"{NOT_THE_SCHEDULE} · {script.title}", "scenario")
    failure = ""
    try:
        for step in script.steps:
            try:
                await do(stage, step)
            except (Failed, ClusterError) as failed:
                failure = f"{step}: {failed}"
                stage.say(f"the story could not: {failure}", "failed")
            else:
                if step.words[1:2] != ("#",):
                    stage.say(f"story: {' '.join(step.words[1:])}")
        stand_still()
    finally:
        await stage.end()
    stage.say("here the story was left: from now on it goes its own way")
    took_s = stage.cluster.now_s() - stage.began_s
    return Outcome(name=script.name, passed=not failure, took_s=took_s, failed_at=failure)
