import logging

from service.seldom import EVERY_SECONDS, Seldom


def record(name: str, message: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, "", 0, message, values, None)


def test_a_message_passes_once_in_a_while_whatever_stands_in_it() -> None:
    moments = iter((0.0, 1.0, EVERY_SECONDS - 1, EVERY_SECONDS, EVERY_SECONDS + 1))
    seldom = Seldom("noisy", lambda: next(moments))
    told = [seldom.filter(record("noisy.part", "failed for the %s. time", time)) for time in range(5)]
    assert told == [True, False, False, True, False]


def test_other_messages_and_other_loggers_pass() -> None:
    seldom = Seldom("noisy", lambda: 0.0)
    assert seldom.filter(record("noisy", "one"))
    assert seldom.filter(record("noisy", "another"))
    assert all(seldom.filter(record("noisy2", "one")) for _ in range(3))
    assert all(seldom.filter(record("service", "one")) for _ in range(3))
