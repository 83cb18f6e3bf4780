"""Whether training waits for its images, in numbers and in words."""

import logging
from unittest import TestCase

from trainables.data.pack.pace import Pace


def test_images_a_second_are_reported_as_delivered_and_as_asked_for():
    found = Pace().of(images=1000, seconds=10.0, waited_s=6.0)
    assert found == {"cost/images_per_second": 100.0, "cost/images_asked_per_second": 250.0}


def test_training_that_waits_is_warned_once():
    pace = Pace()
    with TestCase().assertNoLogs(level=logging.WARNING):
        pace.of(images=1000, seconds=10.0, waited_s=6.0)  # the first batches of all
        pace.of(images=1000, seconds=10.0, waited_s=0.5)
    with TestCase().assertLogs(level=logging.WARNING) as logged:
        for _ in range(2):
            pace.of(images=1000, seconds=10.0, waited_s=6.0)
    (record,) = logged.records
    assert "waited 60 % of its time for images" in record.getMessage()
    assert "it got 100 a second and would take 250" in record.getMessage()


def test_waiting_is_counted():
    pace = Pace()
    with pace.waiting():
        sum(range(100_000))
    assert pace.waited_s > 0
