"""One function per job: read, call something pure, write. Time comes in as an argument.

Stages know ``model`` and never each other; they meet here.
"""

from sloengine.jobs.deliver import deliver
from sloengine.jobs.deps import Deps
from sloengine.jobs.drift import watch
from sloengine.jobs.evaluate import evaluate
from sloengine.jobs.roll_up import begin, publish_inventory, roll_up
from sloengine.jobs.tick import tick
from sloengine.jobs.transition import transition

__all__ = ["Deps", "begin", "deliver", "evaluate", "publish_inventory", "roll_up", "tick", "transition", "watch"]
