"""One function per job: read, call something pure, write. Time comes in as an argument.

Stages know ``model`` and never each other; they meet here.
"""

from sloengine.jobs.accept import accept
from sloengine.jobs.alerts_now import alerts_now
from sloengine.jobs.deliver import Couriers, deliver
from sloengine.jobs.deps import Deps
from sloengine.jobs.drift import watch
from sloengine.jobs.evaluate import evaluate
from sloengine.jobs.reload import reload
from sloengine.jobs.roll_up import begin, publish_inventory, roll_up
from sloengine.jobs.silencing import silence, silences, unsilence
from sloengine.jobs.tell import tell
from sloengine.jobs.tick import tick
from sloengine.jobs.transition import transition

__all__ = [
    "Couriers",
    "Deps",
    "accept",
    "alerts_now",
    "begin",
    "deliver",
    "evaluate",
    "publish_inventory",
    "reload",
    "roll_up",
    "silence",
    "silences",
    "tell",
    "tick",
    "transition",
    "unsilence",
    "watch",
]
