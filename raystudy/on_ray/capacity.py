"""How many trials run at a time while a cluster's nodes come and go, and what trials wait for."""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from raystudy.config.scaling import Scaling
from raystudy.errors import UserError
from raystudy.on_ray.autoscaler import Autoscaler
from raystudy.on_ray.resources import Resources, trials_that_fit, words
from raystudy.storage.waiting import Waiting

SAY_EVERY_S = 60.0
SETTLED_S = 3.0  # where there is room a trial has it within this


class Demand(Protocol):
    """What asks for nodes."""

    def ask(self, trials: int) -> None:
        """Have as many trials' worth of nodes asked for, besides those there are."""

    def is_unmet(self) -> bool:
        """Return whether a trial that was handed out finds no room."""


def most_at_a_time(
    scaling: Scaling, nodes: Sequence[Resources], autoscaler: Autoscaler | None
) -> int | None:
    """Return how many trials can ever run at a time; None where only the machines know.

    Parameters
    ----------
    scaling : Scaling
    nodes : sequence of mapping
        Totals of each node there is.
    autoscaler : Autoscaler, optional

    Raises
    ------
    UserError
        If no trial ever fits.
    """
    now, later = trials_that_fit(scaling, nodes), 0
    if autoscaler is not None:
        later = autoscaler.workers(scaling.worker) // scaling.num_workers
        if not (now or later or autoscaler.is_known) and len(nodes) <= autoscaler.most:
            return None
    if not (now or later):
        raise UserError(_never_fits(scaling, nodes, autoscaler))
    return max(now, later)


class Capacity:
    """Follows a cluster's nodes.

    Parameters
    ----------
    scaling : Scaling
    nodes : callable () -> sequence of mapping
        Returns the totals of each node on which trials may start now.
    autoscaler : Autoscaler, optional
        Of the cluster, if it has one.
    demand : Demand, optional
        Asks the autoscaler for nodes.
    launches : callable () -> str
        Returns what the autoscaler is doing.
    say : callable (str) -> None
        Shows a sentence.
    note : callable (Waiting or None) -> None
        Keeps for other processes what is waited for.

    Attributes
    ----------
    trials : int
        How many run at a time now.
    """

    def __init__(
        self,
        scaling: Scaling,
        *,
        nodes: Callable[[], Sequence[Resources]],
        autoscaler: Autoscaler | None = None,
        demand: Demand | None = None,
        launches: Callable[[], str] = str,
        say: Callable[[str], None] = lambda _: None,
        note: Callable[[Waiting | None], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._scaling, self._autoscaler = scaling, autoscaler
        self._nodes, self._demand, self._clock = nodes, demand, clock
        self._launches, self._say, self._note = launches, say, note
        there = nodes()
        self._most = most_at_a_time(scaling, there, autoscaler)
        self._room = trials_that_fit(scaling, there)
        self._waits_since: float | None = None
        self._waiting: Waiting | None = None
        self._said_at = 0.0

    @property
    def trials(self) -> int:
        """How many run at a time now."""
        return self._capped(self._room)

    @property
    def may_grow(self) -> bool:
        """Whether the autoscaler may still start nodes for trials."""
        return self._autoscaler is not None and (self._most is None or self._most > self._room)

    def refresh(self, live: int, outstanding: int, unplaced: Sequence[int] = ()) -> None:
        """Look at the nodes again, ask for what lacks, say what is waited for.

        Parameters
        ----------
        live : int
            Trials that were handed out and have not ended.
        outstanding : int
            Trials that could be handed out now.
        unplaced : sequence of int
            Numbers of the live ones that no process runs yet.
        """
        room, before = trials_that_fit(self._scaling, self._nodes()), self.trials
        self._room = room
        if self.trials != before and self._waiting is None:
            self._say(f"room for {_trials(self.trials)} at a time now")
        wanted = self._capped(live + outstanding)
        is_unmet = bool(self._demand and unplaced and self._demand.is_unmet())
        if self._autoscaler is not None and self._demand is not None:
            # What asks for nodes also takes room, before trials that have just been handed out.
            yields = (is_unmet and live <= room) or live < min(room, wanted)
            most = max(room, 1) if self._most is None else self._most
            self._demand.ask(0 if yields else max(0, min(wanted, most) - max(room, live)))
        self._show(
            tuple(unplaced) if is_unmet else (), nothing_fits=room == 0 and live + outstanding > 0
        )

    def release(self) -> None:
        """Ask for nothing any more."""
        self._note(None)
        if self._demand is not None:
            self._demand.ask(0)

    def _capped(self, trials: int) -> int:
        return min(trials, self._scaling.max_concurrent or trials)

    def _show(self, unplaced: tuple[int, ...], *, nothing_fits: bool) -> None:
        now = self._clock()
        if not (nothing_fits or unplaced):
            self._waits_since = None
        elif self._waits_since is None:
            self._waits_since = now
        since = self._waits_since
        if since is None or not (nothing_fits or now - since >= SETTLED_S):
            waiting = None
        else:
            waiting = Waiting(since=since, trials=unplaced, words=self._words(nothing_fits))
        if waiting != self._waiting:
            self._note(waiting)
        if waiting is not None and (waiting != self._waiting or now - self._said_at >= SAY_EVERY_S):
            self._said_at = now
            self._say(str(waiting))
        if waiting is None and self._waiting is not None and self.trials:
            self._say(f"room for {_trials(self.trials)} at a time now")
        self._waiting = waiting

    def _words(self, nothing_fits: bool) -> str:
        if self._autoscaler is not None and (nothing_fits or self.may_grow):
            doing = self._launches() or f"starts {self._autoscaler}"
            asked = f"the autoscaler has been asked, which {doing}"
        elif nothing_fits:
            asked = "no node of the cluster holds that now, and it has no autoscaler"
        else:
            asked = "the nodes that hold it are in use, or have just come"
        return f"{self._scaling.words}; {asked}"


def _trials(count: int) -> str:
    return f"{count or 'no'} trial{'s' * (count != 1)}"


def _never_fits(scaling: Scaling, nodes: Sequence[Resources], autoscaler: Autoscaler | None) -> str:
    there = " + ".join(words(node) for node in nodes) or "nothing"
    grown = "" if autoscaler is None else f", and its autoscaler starts {autoscaler}"
    types = autoscaler.node_types if autoscaler else ()
    gpus = any(node.get("GPU") for node in [*nodes, *(one.resources for one in types)])
    if scaling.use_gpu and not gpus:
        advice = "set scaling.use_gpu=false"
    else:
        advice = "lower scaling.num_workers, scaling.cpus_per_worker or scaling.gpus_per_worker"
    whose = "the cluster" if scaling.address else "this machine"
    return (
        f"scaling: a trial needs {scaling.words}, which {whose} can never hold: it has "
        f"{there}{grown}; {advice}."
    )
