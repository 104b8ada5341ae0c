"""
The simulator: whole node machines under virtual time, one seed, merciless faults (DESIGN 9).

`World` runs the very machines that run in production; only the driver is another one. Give it an
app of your own to see what your system does when nodes die.
"""

from lolraft.sim.plan import Plan
from lolraft.sim.violation import Violation
from lolraft.sim.world import World

__all__ = ["Plan", "Violation", "World"]
