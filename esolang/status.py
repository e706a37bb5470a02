"""How the run of a program ended: what every interpreter here answers with."""

import enum
from typing import NamedTuple


class Status(enum.IntEnum):
    """Why a program stopped. The numbers are what the JAX interpreters return."""

    OK = 0  # ran to its end
    STEP_LIMIT = 1  # executed as many commands as it was allowed
    OUTPUT_LIMIT = 2  # tried to write more than it was allowed
    SYNTAX_ERROR = 3  # Brainf**k: a bracket without its partner; nothing was run
    TAPE_LEFT = 4  # Brainf**k: moved left of the first cell
    TAPE_RIGHT = 5  # Brainf**k: moved right of the last cell
    STACK_OVERFLOW = 6  # Befunge: pushed on a full stack


class Outcome(NamedTuple):
    """What a run of a program gave."""

    status: Status
    output: bytes  # all that was written before it stopped
    steps: int  # commands executed
