"""Tests for what a request's head may look like, by plain calls."""

from __future__ import annotations

import pytest

from chatme.http import head
from chatme.http.head import BodyMeter, HttpLimits

LIMITS = HttpLimits(header_fields=3)
HOST = (b"host", b"chat")
KEY = (b"sec-websocket-key", b"MDEyMzQ1Njc4OWFiY2RlZg==")
VERSION = (b"sec-websocket-version", b"13")


@pytest.mark.parametrize(
    "lines",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /a?b=c HTTP/1.0\r\nHost: chat\r\n\r\n",
        b"M-SEARCH / HTTP/1.1\r\nHost:chat\r\nX-Empty:\r\nX: \xc3\xa9\tb\r\n\r\n",
    ],
)
def test_clean_heads_pass(lines: bytes) -> None:
    """A head of well-formed lines has no fault."""
    assert head.fault_in_lines(lines, LIMITS) is None


@pytest.mark.parametrize(
    "lines",
    [
        b"GET / HTTP/1.1\nHost: chat\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: chat\nX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: chat\rX: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: chat\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: chat\r\n\tfolded\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: chat\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : chat\r\n\r\n",
        b"GET / HTTP/1.1\r\n: chat\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost chat\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: c\x00hat\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: c\x7fhat\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET\t/ HTTP/1.1\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"get / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.2\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / RTSP/1.0\r\n\r\n",
        b"GET /\r\n\r\n",
    ],
)
def test_ambiguous_lines_are_refused(lines: bytes) -> None:
    """Whatever two parsers could read differently is a bad request."""
    fault = head.fault_in_lines(lines, LIMITS)
    assert fault is not None
    assert fault.status == 400


def test_too_many_fields_are_refused() -> None:
    """One field more than the limit is a 431."""
    lines = b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 3
    assert head.fault_in_lines(lines + b"\r\n", LIMITS) is None
    fault = head.fault_in_lines(lines + b"A: b\r\n\r\n", LIMITS)
    assert fault is not None
    assert fault.status == 431


@pytest.mark.parametrize("start", [b"\x16\x03\x01", b"get", b"GET / HTTP/1.1\n", b"GET /\rx"])
def test_a_broken_start_is_seen_at_once(start: bytes) -> None:
    """What can never become a head is refused without waiting for the rest, however it is cut."""
    assert head.fault_so_far(start, 0) is not None
    assert any(head.fault_so_far(start[:size], size - 1) for size in range(1, len(start) + 1))


def test_an_honest_start_may_be_cut_anywhere() -> None:
    """No beginning of a good head is refused."""
    lines = b"GET /a HTTP/1.1\r\nHost: chat\r\n\r\n"
    for size in range(len(lines)):
        assert head.fault_so_far(lines[:size], max(0, size - 1)) is None


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [HOST, HOST],
        [(b"host", b"a b")],
        [(b"host", b"")],
        [(b"host", b"chat/x")],
        [HOST, (b"content-length", b"1"), (b"content-length", b"2")],
        [HOST, (b"content-length", b"1"), (b"content-length", b"1")],
        [HOST, (b"content-length", b"+1")],
        [HOST, (b"content-length", b"1, 1")],
        [HOST, (b"content-length", b"")],
        [HOST, (b"content-length", b"9" * 16)],
        [HOST, (b"content-length", b"1"), (b"transfer-encoding", b"chunked")],
        [HOST, (b"transfer-encoding", b"gzip")],
        [HOST, (b"transfer-encoding", b"gzip, chunked")],
        [HOST, (b"transfer-encoding", b"xchunked")],
        [HOST, (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")],
    ],
)
def test_ambiguous_fields_are_refused(fields: head.Fields) -> None:
    """A request whose host or whose end is not plain is a bad request."""
    fault = head.fault_in_fields("1.1", b"/", fields)
    assert fault is not None
    assert fault.status == 400


def test_plain_fields_pass() -> None:
    """One host and one way of telling the body's end have no fault."""
    assert head.fault_in_fields("1.0", b"/", []) is None
    assert head.fault_in_fields("1.1", b"/", [(b"host", b"[::1]:80")]) is None
    assert head.fault_in_fields("1.1", b"http://chat/", [HOST, (b"content-length", b"5")]) is None
    assert head.fault_in_fields("1.1", b"/", [HOST, (b"transfer-encoding", b"Chunked")]) is None


def test_old_clients_may_not_send_chunks() -> None:
    """HTTP/1.0 knows no Transfer-Encoding, so a proxy could end the body elsewhere."""
    assert head.fault_in_fields("1.0", b"/", [(b"transfer-encoding", b"chunked")]) is not None


@pytest.mark.parametrize("target", [b"*", b"chat:80", b"ftp://chat/", b"a"])
def test_other_targets_are_refused(target: bytes) -> None:
    """A target is a path, or a URL of ours."""
    assert head.fault_in_fields("1.1", target, [HOST]) is not None


def test_a_good_handshake_passes() -> None:
    """A WebSocket's opening by the book has no fault."""
    protocols = (b"sec-websocket-protocol", b"chat, superchat")
    fields = [HOST, KEY, VERSION, protocols]
    assert head.fault_in_handshake(b"GET", "1.1", b"/chat", fields) is None


@pytest.mark.parametrize(
    ("method", "version", "target", "fields", "status"),
    [
        (b"POST", "1.1", b"/", [HOST, KEY, VERSION], 400),
        (b"GET", "1.0", b"/", [HOST, KEY, VERSION], 400),
        (b"GET", "1.1", b"http://chat/", [HOST, KEY, VERSION], 400),
        (b"GET", "1.1", b"/", [HOST, KEY, VERSION, (b"content-length", b"1")], 400),
        (b"GET", "1.1", b"/", [HOST, KEY], 426),
        (b"GET", "1.1", b"/", [HOST, KEY, (b"sec-websocket-version", b"8")], 426),
        (b"GET", "1.1", b"/", [HOST, VERSION], 400),
        (b"GET", "1.1", b"/", [HOST, KEY, KEY, VERSION], 400),
        (b"GET", "1.1", b"/", [HOST, (b"sec-websocket-key", b"*"), VERSION], 400),
        (b"GET", "1.1", b"/", [HOST, (b"sec-websocket-key", b"AAAA"), VERSION], 400),
        (b"GET", "1.1", b"/", [HOST, KEY, VERSION, (b"sec-websocket-protocol", b"a b")], 400),
        (b"GET", "1.1", b"/" + b"a" * 8192, [HOST, KEY, VERSION], 431),
        (b"GET", "1.1", b"/", [HOST, KEY, VERSION, (b"x", b"a" * 8192)], 431),
    ],
)
def test_bad_handshakes_are_refused(
    method: bytes, version: str, target: bytes, fields: head.Fields, status: int
) -> None:
    """An opening that the WebSocket could not answer never reaches it."""
    fault = head.fault_in_handshake(method, version, target, fields)
    assert fault is not None
    assert fault.status == status


def test_an_upgrade_is_to_websocket_alone() -> None:
    """Several Connection fields count as one, and other protocols are not ours."""
    upgrade = (b"upgrade", b"WebSocket")
    assert head.upgrades_to_websocket(
        [(b"connection", b"keep-alive"), (b"connection", b"x, Upgrade"), upgrade]
    )
    assert not head.upgrades_to_websocket([(b"connection", b"keep-alive"), upgrade])
    assert not head.upgrades_to_websocket([(b"connection", b"upgrade"), (b"upgrade", b"h2c")])


def test_a_sane_request_id_is_kept() -> None:
    """The client's own name for a request comes back, unless it is no name."""
    assert head.sane_request_id([(b"x-request-id", b"a-1")]) == "a-1"
    assert head.sane_request_id([(b"x-request-id", b"a b")]) is None
    assert head.sane_request_id([(b"x-request-id", b"a"), (b"x-request-id", b"b")]) is None


def test_a_body_of_known_length_is_cut_at_its_end() -> None:
    """The meter takes no byte of what follows the body."""
    meter, inbox = BodyMeter(5, 0), bytearray(b"abc")
    assert meter.take(inbox) == b"abc"
    inbox += b"deGET"
    assert meter.take(inbox) == b"de"
    assert inbox == b"GET"


@pytest.mark.parametrize("cut", range(1, 12))
def test_chunks_are_cut_at_their_end_wherever_the_network_cuts(cut: int) -> None:
    """No piece of a chunked body reaches beyond an empty line."""
    stream = b"1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
    meter, inbox, taken = BodyMeter(None, 0), bytearray(stream[:cut]), b""
    for more in (stream[cut:], b""):
        while inbox and not taken.endswith(b"\r\n\r\n"):
            taken += meter.take(inbox)
        inbox += more
    assert taken == b"1\r\na\r\n0\r\n\r\n"


def test_chunk_framing_has_a_bound() -> None:
    """Extensions and trailers may not grow without a body to carry."""
    meter = BodyMeter(None, 100)
    meter.take(bytearray(100))
    assert not meter.wasteful
    meter.take(bytearray(1))
    assert meter.wasteful
    meter.delivered = 1
    assert not meter.wasteful
