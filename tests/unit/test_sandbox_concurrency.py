"""As many work as there is width for, one more for each slow program, and no worker waits for ever."""

import threading

from sandbox.concurrency import ConcurrencyGate


class Asking(threading.Thread):
    """Asks for a turn."""

    def __init__(self, turns: ConcurrencyGate) -> None:
        super().__init__(daemon=True)
        self.turns = turns
        self.got: bool | None = None
        self.start()

    def run(self) -> None:
        self.got = self.turns.take()

    def waits(self) -> bool:
        self.join(0.05)
        return self.is_alive()

    def ends(self) -> bool | None:
        self.join(10)
        return self.got


def test_no_more_turns_than_width():
    turns = ConcurrencyGate(2)
    assert turns.take()
    assert turns.take()
    third = Asking(turns)
    assert third.waits()
    turns.give_back()
    assert third.ends() is True


def test_a_slow_program_lets_another_work_meanwhile():
    turns = ConcurrencyGate(1)
    assert turns.take()
    other = Asking(turns)
    assert other.waits()
    turns.wait_for_slow_program()
    assert other.ends() is True
    assert not turns.too_many()
    turns.resume()
    assert turns.too_many()
    turns.give_back()
    assert not turns.too_many()


def test_closing_refuses_all_that_wait():
    turns = ConcurrencyGate(1)
    assert turns.take()
    waiting = [Asking(turns) for _ in range(3)]
    turns.close()
    assert [waiter.ends() for waiter in waiting] == [False] * 3
    assert not turns.take()
