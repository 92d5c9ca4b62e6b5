"""The table of the association's state machine is whole."""

import pytest

from pacs_ai.net.scp.states import TRANSITIONS, Action, Event, State

FROM_PEER = {event for event in Event if event < Event.ACCEPTED} | {Event.CLOSED, Event.EXPIRED}


@pytest.mark.parametrize("state", [State.AWAIT_REQUEST, State.ESTABLISHED])
@pytest.mark.parametrize("event", sorted(FROM_PEER))
def test_every_event_has_a_place_where_the_peer_speaks(state: State, event: Event) -> None:
    assert (state, event) in TRANSITIONS


@pytest.mark.parametrize("state", sorted(set(State) - {State.IDLE}))
def test_every_state_ends(state: State) -> None:
    """From each, a closed connection and a deadline lead to idle."""
    for event in (Event.CLOSED, Event.EXPIRED):
        seen, here = [], state
        while here is not State.IDLE:
            action, here = TRANSITIONS[here, event]
            seen.append(action)
            assert len(seen) < 3
        assert action in (Action.CLOSE, Action.PEER_LOST)


def test_every_state_and_action_is_reached() -> None:
    assert {action for action, _ in TRANSITIONS.values()} == set(Action)
    reached = {target for _, target in TRANSITIONS.values()} | {State.AWAIT_REQUEST}
    assert reached == set(State)
