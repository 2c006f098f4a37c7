"""Supervised actors on anyio: OTP's gen_server, gen_statem and supervisor for asyncio and trio.

It knows nothing of WebSockets and is usable on its own. Start with `Actor`, `ChildSpec` and `Supervisor`;
`wsmgr.actors.testing` brings virtual time, an event recorder and a leak check.
"""

from __future__ import annotations

from .actor import Actor
from .backoff import Backoff
from .dynamic_supervisor import DynamicSupervisor
from .errors import (
    ActorError,
    AlreadyPresentError,
    AlreadyRegisteredError,
    AlreadyStartedError,
    BadReturnError,
    CallCycleError,
    CallError,
    CallExitError,
    CallTimeoutError,
    ChildNotFoundError,
    ChildRestartingError,
    ChildRunningError,
    DeadRefError,
    ForeignCancellationError,
    LeakError,
    LoopThreadError,
    LoopTimeoutError,
    MailboxFullError,
    MaxChildrenError,
    NotAnActorError,
    OutsideActorError,
    RejectError,
    StartError,
    StartTimeoutError,
    SupervisorError,
    SupervisorGaveUpError,
    SupervisorKilledError,
)
from .events import DeadLetter, Event, Exited, GaveUp, Restarting, ShutdownError, Started, StartFailed, Zombie
from .from_thread import ThreadRef
from .introspection import (
    Status,
    get_state,
    get_status,
    replace_state,
    resume,
    statistics,
    suspend,
    trace,
)
from .mailbox_policy import Conflate, MailboxPolicy, conflate
from .messages import (
    Continue,
    Down,
    ExitSignal,
    FailedToStart,
    Ignore,
    NoReply,
    Reply,
    StateTimeout,
    Stop,
)
from .process.calls import ReplyTo
from .process.timers import Timer
from .process.watch import Statistics, TraceEvent, log_trace
from .reasons import Crash, ExitReason, Killed, NoProc, Normal, Shutdown
from .ref import ActorRef, Monitor
from .registry import Registry, Via
from .spec import ChildSpec
from .state_machine import StateMachine
from .supervision.child import ChildCounts, ChildInfo, ChildStatus
from .supervisor import Supervisor
from .task_supervisor import TaskRef, TaskSupervisor

__all__ = [
    "Actor",
    "ActorError",
    "ActorRef",
    "AlreadyPresentError",
    "AlreadyRegisteredError",
    "AlreadyStartedError",
    "Backoff",
    "BadReturnError",
    "CallCycleError",
    "CallError",
    "CallExitError",
    "CallTimeoutError",
    "ChildCounts",
    "ChildInfo",
    "ChildNotFoundError",
    "ChildRestartingError",
    "ChildRunningError",
    "ChildSpec",
    "ChildStatus",
    "Conflate",
    "Continue",
    "Crash",
    "DeadLetter",
    "DeadRefError",
    "Down",
    "DynamicSupervisor",
    "Event",
    "ExitReason",
    "ExitSignal",
    "Exited",
    "FailedToStart",
    "ForeignCancellationError",
    "GaveUp",
    "Ignore",
    "Killed",
    "LeakError",
    "LoopThreadError",
    "LoopTimeoutError",
    "MailboxFullError",
    "MailboxPolicy",
    "MaxChildrenError",
    "Monitor",
    "NoProc",
    "NoReply",
    "Normal",
    "NotAnActorError",
    "OutsideActorError",
    "Registry",
    "RejectError",
    "Reply",
    "ReplyTo",
    "Restarting",
    "Shutdown",
    "ShutdownError",
    "StartError",
    "StartFailed",
    "StartTimeoutError",
    "Started",
    "StateMachine",
    "StateTimeout",
    "Statistics",
    "Status",
    "Stop",
    "Supervisor",
    "SupervisorError",
    "SupervisorGaveUpError",
    "SupervisorKilledError",
    "TaskRef",
    "TaskSupervisor",
    "ThreadRef",
    "Timer",
    "TraceEvent",
    "Via",
    "Zombie",
    "conflate",
    "get_state",
    "get_status",
    "log_trace",
    "replace_state",
    "resume",
    "statistics",
    "suspend",
    "trace",
]
