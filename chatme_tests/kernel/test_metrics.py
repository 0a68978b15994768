"""What is counted, and how it reads."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from chatme.metrics import MAX_SERIES, OTHER, Metrics, Series


async def read(metrics: Metrics) -> dict[tuple[str, frozenset[str]], float]:
    """Each sample of the text by its name and the values of its labels."""
    text = (await metrics.expose()).decode()
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def key(name: str, *values: str) -> tuple[str, frozenset[str]]:
    """A sample's key."""
    return f"chatme_{name}", frozenset(values)


@pytest.fixture
def metrics() -> Metrics:
    """Fresh ones."""
    return Metrics("1.2.3")


async def test_requests(metrics: Metrics) -> None:
    """A request counts by method, route and class of status, with its time."""
    metrics.answered("GET", "/things/{id}", 200, 0.02)
    metrics.answered("GET", "/things/{id}", 204, 0.04)
    metrics.answered("GET", "/things/{id}", 0, 7)
    found = await read(metrics)

    labels = ("GET", "/things/{id}", "2xx")
    assert found[key("http_request_seconds_count", *labels)] == 2
    assert found[key("http_request_seconds_sum", *labels)] == pytest.approx(0.06)
    assert found[key("http_request_seconds_bucket", *labels, "0.025")] == 1
    assert found[key("http_request_seconds_count", "GET", "/things/{id}", "none")] == 1


async def test_frames(metrics: Metrics) -> None:
    """A frame counts by event and outcome, its error by its code, and a refused one as that."""
    metrics.worked("ping", 0.002, None)
    metrics.worked("ping", 0.002, "not_found")
    metrics.refused("socket", "rate_limited")
    metrics.refused("http", "rate_limited")
    metrics.sent("new_message", 30)
    metrics.sent("new_message")
    metrics.closed("too_slow")
    found = await read(metrics)

    assert found[key("frames_received_total", "ping")] == 2
    assert found[key("frames_received_total", "refused")] == 1
    assert found[key("frame_seconds_count", "ping", "ok")] == 1
    assert found[key("frame_seconds_count", "ping", "error")] == 1
    assert found[key("errors_total", "socket", "not_found")] == 1
    assert found[key("errors_total", "socket", "rate_limited")] == 1
    assert found[key("errors_total", "http", "rate_limited")] == 1
    assert found[key("frames_sent_total", "new_message")] == 31
    assert found[key("socket_closes_total", "too_slow")] == 1


async def test_messages_and_the_database(metrics: Metrics) -> None:
    """A message counts by its type, an operation by its name and collection, with its time."""
    metrics.stored("image")
    metrics.asked("find", "users", 0.003)
    found = await read(metrics)

    assert found[key("messages_sent_total", "image")] == 1
    assert found[key("database_seconds_count", "find", "users")] == 1
    assert found[key("database_seconds_bucket", "find", "users", "0.0025")] == 0
    assert found[key("database_seconds_bucket", "find", "users", "0.005")] == 1


async def test_what_is_read_when_asked(metrics: Metrics) -> None:
    """Gauges say what is so at the moment of asking, and cost nothing before."""
    asked = 0

    def count() -> int:
        nonlocal asked
        asked += 1
        return asked

    metrics.sockets("signed_in", count)
    metrics.online(lambda: 2)
    metrics.queue("hashing", lambda: 3)
    metrics.outboxes(lambda: (50, 40))
    assert asked == 0
    found = await read(metrics)

    assert found[key("sockets", "signed_in")] == 1
    assert found[key("users_online")] == 2
    assert found[key("queue_depth", "hashing")] == 3
    assert (found[key("outbox_bytes", "all")], found[key("outbox_bytes", "slowest")]) == (50, 40)
    assert (await read(metrics))[key("sockets", "signed_in")] == 2


async def test_the_process_is_there(metrics: Metrics) -> None:
    """The version, the process's memory and its files are told; no birthdays of series."""
    metrics.stored("text")
    found = await read(metrics)

    assert any(name == "chatme_build_info" and "1.2.3" in values for name, values in found)
    assert found["process_resident_memory_bytes", frozenset()] > 1_000_000
    assert found["process_open_fds", frozenset()] > 0
    assert not [name for name, _ in found if name.endswith("_created")]


async def test_the_loop_is_measured(metrics: Metrics) -> None:
    """The sampler tells how late the loop is, over and over, until it is ended."""
    sampling = asyncio.create_task(metrics.sample_lag(pause=0.001))
    async with asyncio.timeout(10):
        while (await read(metrics))[key("event_loop_lag_seconds_count")] < 3:
            pass
    sampling.cancel()
    with suppress(asyncio.CancelledError):
        await sampling

    assert (await read(metrics))[key("event_loop_lag_seconds_sum")] >= 0


def test_two_registries() -> None:
    """Metrics share nothing: two of them live side by side."""
    one, two = Metrics("1"), Metrics("2")
    one.stored("text")

    assert two.registry.get_sample_value("chatme_messages_sent_total", {"type": "text"}) is None


def test_series_are_bounded() -> None:
    """Whatever comes as a label, a family has so many series and one for all the rest."""
    registry = CollectorRegistry()
    series = Series(Counter("c", "A counter.", ("a", "b"), registry=registry), 10)
    for at in range(1000):
        series.of(str(at), "x").inc()
    series.of("3", "x").inc()
    found = [
        sample
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "c_total"
    ]

    assert len(found) == 11
    assert {sample.labels["a"]: sample.value for sample in found} == {
        **{str(at): 1 for at in range(10)},
        "3": 2,
        OTHER: 990,
    }
    assert MAX_SERIES >= 1000
