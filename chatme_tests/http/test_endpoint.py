"""Tests for rows of routes: who calls, what they ask, the handler, the answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount

from chatme.errors import ChatMeError, Code, Conflict, NotAuthenticated, RateLimited
from chatme.http.endpoint import Call, Endpoint, bind
from chatme.http.multipart import Upload
from chatme.http.replies import Cookie, Reply
from chatme.rates import Quota, Rate
from chatme_tests.http.fakes import CALLER, SIGNED_IN, Doorkeeper, Stream, ask, bound, request
from chatme_tests.http.post_office import (
    HEX,
    ROWS,
    Letter,
    NewLetter,
    Office,
    Paging,
    drop,
    post_office,
)


def answering(answer: Reply[Any] | Response | ChatMeError | None) -> Starlette:
    """An application whose one route answers, or raises, this."""

    async def handler(_service: object, _call: Call) -> Reply[Any] | Response | None:
        if isinstance(answer, ChatMeError):
            raise answer
        return answer

    return bound(Endpoint("GET", "/", handler, status=202, public=True))


async def test_a_checked_body_reaches_its_service() -> None:
    """The handler gets the service, the caller and the checked body; its answer is sent."""
    office = Office()
    body = {"toId": HEX, "body": " hello "}
    answer = await ask(post_office(office), "POST", "/letters", headers=SIGNED_IN, json=body)

    assert (answer.status_code, office.sent) == (201, 1)
    assert answer.json() == {"id": str(CALLER.user_id), "body": "hello"}


@pytest.mark.parametrize(
    "value",
    [
        *("", "Bearer", "Bearer ", "Bearer    ", "Bearer wrong", "Bearer a-good-token x"),
        *("Basic YTpi", "a-good-token", "Bearera-good-token", "Token a-good-token"),
    ],
)
async def test_strangers_are_refused(value: str) -> None:
    """Without a genuine bearer token the answer is a 401 in the envelope, before the body."""
    office = Office()
    headers = {"Authorization": value}
    answer = await ask(post_office(office), "POST", "/letters", headers=headers, content=b"{")

    assert (answer.status_code, office.sent) == (401, 0)
    assert answer.json()["code"] == "not_authenticated"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_no_header_at_all_is_a_stranger() -> None:
    """A request without the header is a 401, too."""
    assert (await ask(post_office(), "GET", "/letters")).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
async def test_the_schemes_case_does_not_matter(scheme: str) -> None:
    """The scheme is read without case, and white space around the token is none of it."""
    headers = {"Authorization": f"{scheme} a-good-token"}

    assert (await ask(post_office(), "GET", "/letters", headers=headers)).status_code == 200


async def test_a_public_route_knows_nobody() -> None:
    """A public route runs without a token, and does not look at one that is there."""
    public = answering(None)

    assert (await ask(public, "GET", "/")).status_code == 202
    assert (await ask(post_office(), "GET", "/open", headers=SIGNED_IN)).status_code == 401


@pytest.mark.parametrize("word", ["x", HEX[:-1], HEX + "0", "%D9%A0" * 24, "null", "%00", "..."])
async def test_a_malformed_id_names_nothing(word: str) -> None:
    """A malformed id in the path is a 404 like that of an unknown one."""
    answer = await ask(post_office(), "GET", f"/letters/{word}", headers=SIGNED_IN)

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_an_uppercase_id_is_the_same() -> None:
    """An id of the path is taken in either case and comes back in lowercase."""
    answer = await ask(post_office(), "GET", f"/letters/{HEX.upper()}", headers=SIGNED_IN)

    assert answer.json()["id"] == HEX


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/letters", "GET, HEAD, POST"),
        ("DELETE", "/letters", "GET, HEAD, POST"),
        ("POST", "/letters/x", "DELETE, GET, HEAD"),
        ("OPTIONS", "/letters", "GET, HEAD, POST"),
        ("TRACE", "/open", "GET, HEAD"),
        ("PROPFIND", "/letters", "GET, HEAD, POST"),
        ("M-SEARCH", "/letters", "GET, HEAD, POST"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(method: str, path: str, allow: str) -> None:
    """Any other method is a 405 in the envelope whose Allow lists all that the path takes."""
    answer = await ask(post_office(), method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == allow
    assert answer.json()["code"] == "method_not_allowed"


async def test_head_is_get_without_the_body() -> None:
    """HEAD runs the GET and has its status and headers."""
    got = await ask(post_office(), "GET", "/letters", headers=SIGNED_IN)
    head = await ask(post_office(), "HEAD", "/letters", headers=SIGNED_IN)

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == got.headers


async def test_head_is_only_where_get_is() -> None:
    """A path without GET takes no HEAD."""
    app = bound(Endpoint("POST", "/only", drop))
    answer = await ask(app, "HEAD", "/only", headers=SIGNED_IN)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


async def test_each_faulty_field_is_in_the_envelope() -> None:
    """A faulty body is a 422 whose errors name each field, and the handler does not run."""
    office = Office()
    body = {"toId": "x", "body": " ", "copies": 0, "tags": [1], "note": None}
    answer = await ask(post_office(office), "POST", "/letters", headers=SIGNED_IN, json=body)
    found = answer.json()

    assert (answer.status_code, office.sent) == (422, 0)
    assert found["code"] == "validation_failed"
    assert found["path"] == "/letters"
    assert [fault["field"] for fault in found["errors"]] == [
        "toId",
        "body",
        "copies",
        "tags.0",
        "note",
    ]


async def test_a_faulty_query_is_a_422() -> None:
    """A faulty parameter is a 422 that names it."""
    answer = await ask(post_office(), "GET", "/letters?limit=0", headers=SIGNED_IN)

    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "limit", "message": "must be at least 1"}]


async def test_a_body_of_another_type_is_a_415() -> None:
    """A body without the JSON type is a 415 in the envelope."""
    answer = await ask(post_office(), "POST", "/letters", headers=SIGNED_IN, content=b"{}")

    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported_media_type"


async def test_nothing_is_answered_with_the_usual_status() -> None:
    """A handler without an answer sends the row's status and no body."""
    answer = await ask(post_office(), "DELETE", f"/letters/{HEX}", headers=SIGNED_IN)

    assert (answer.status_code, answer.content) == (204, b"")


async def test_a_reply_says_more() -> None:
    """A Reply's status, headers and cookie reach the caller."""
    cookie = Cookie("c", "v", 60, "/", secure=False)
    reply = Reply(Letter(id=ObjectId(HEX), body="b"), 203, {"X-Kind": "k"}, cookie)
    answer = await ask(answering(reply), "GET", "/")

    assert answer.status_code == 203
    assert answer.headers["x-kind"] == "k"
    assert answer.cookies["c"] == "v"
    assert answer.json() == {"id": HEX, "body": "b"}


async def test_a_response_is_sent_as_it_is() -> None:
    """A handler may answer with a response of its own, a stream for instance."""

    async def parts() -> AsyncIterator[bytes]:
        for part in (b"a", b"b"):
            yield part

    answer = await ask(answering(StreamingResponse(parts(), 206)), "GET", "/")

    assert (answer.status_code, answer.content) == (206, b"ab")


async def test_an_error_is_answered_in_the_envelope() -> None:
    """What a handler refuses comes with its status, code, message and Retry-After."""
    refusal = Conflict("Taken.", code=Code.EMAIL_TAKEN)
    taken, busy = answering(refusal), answering(RateLimited(retry_after=2.5))
    answer = await ask(taken, "GET", "/")

    assert answer.status_code == 409
    assert (answer.json()["code"], answer.json()["message"]) == ("email_taken", "Taken.")
    assert (await ask(busy, "GET", "/")).headers["retry-after"] == "3"


async def test_the_whole_path_is_named() -> None:
    """In an application below a prefix the envelope names the whole path."""
    app = Starlette(routes=[Mount("/api/v1", routes=bind([(ROWS, Office())], Doorkeeper()))])

    assert (await ask(app, "GET", "/api/v1/letters")).json()["path"] == "/api/v1/letters"


def test_the_peer_is_the_client() -> None:
    """A call knows the client's address and the first 256 characters of its name."""
    asked = request(Stream([]), [("user-agent", "a" * 300)])
    asked.scope["client"] = ("192.0.2.1", 4321)
    peer = Call(asked, None).peer

    assert (peer.address, peer.user_agent) == ("192.0.2.1", "a" * 256)


def test_an_unknown_peer_has_no_address() -> None:
    """Without an address, as over a Unix socket, the peer's is empty."""
    peer = Call(request(Stream([]), []), None).peer

    assert (peer.address, peer.user_agent) == ("", "")


def test_nobody_is_no_caller() -> None:
    """Asking for the caller where nobody signed in is a NotAuthenticated."""
    with pytest.raises(NotAuthenticated):
        _ = Call(request(), None).caller


async def test_a_spent_quota_ends_the_call() -> None:
    """A handler that heeds a quota goes on while there is some left, and else is refused."""
    rate = Rate(1, 60)

    async def handler(_service: object, call: Call) -> None:
        call.heed(None)
        call.heed(Quota(rate, 0, 60.0))
        call.heed(Quota(rate, 0, 7.2, spent=True))

    answer = await ask(bound(Endpoint("GET", "/", handler, public=True)), "GET", "/")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "8")


def test_the_signature_is_the_documentation() -> None:
    """A row knows the shapes of its body and query from its handler's signature."""
    assert ROWS[0].parameters == {"body": NewLetter}
    assert ROWS[1].parameters == {"query": Paging}
    assert ROWS[2].parameters == {}


SCALAR = st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats() | st.text()
JSON = st.recursive(
    SCALAR, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)
FIELD = st.sampled_from(["toId", "body", "copies", "tags", "note"])
VALUE = st.just(HEX) | st.integers(0, 9) | st.lists(st.text(max_size=3), max_size=4) | JSON


@settings(deadline=None)
@given(st.dictionaries(FIELD, VALUE) | JSON)
async def test_no_body_is_a_fault_of_ours(body: object) -> None:
    """Whatever JSON comes, the answer is a success or names what is wrong, never a 500."""
    text = json.dumps(body).encode()
    headers = {**SIGNED_IN, "Content-Type": "application/json"}
    answer = await ask(post_office(), "POST", "/letters", headers=headers, content=text)

    assert answer.status_code in (201, 400, 422)
    assert answer.status_code != 422 or answer.json()["errors"]


async def test_a_form_reaches_its_handler(tmp_path: Path) -> None:
    """A route that takes an upload hands its handler the file; strangers are refused unread."""

    async def keep(_service: object, call: Call) -> Letter:
        async with call.received(tmp_path) as received:
            return Letter(id=ObjectId(HEX), body=received.name + received.path.read_text())

    app = bound(Endpoint("POST", "/files", keep, status=201, upload=Upload("file", 9)))
    form = (
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhi\r\n--B--'
    )
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    stranger = await ask(app, "POST", "/files", headers=headers, content=form)
    answer = await ask(app, "POST", "/files", headers={**headers, **SIGNED_IN}, content=form)

    assert (stranger.status_code, answer.status_code) == (401, 201)
    assert answer.json() == {"id": HEX, "body": "a.txthi"}
    with pytest.raises(TypeError):
        Call(request(), CALLER).received(tmp_path)


def test_a_signature_says_what_comes_back() -> None:
    """The shapes of a success are those that the handler says it returns, bare or in a reply."""

    async def bare(_service: object, _call: Call) -> Letter:
        raise NotAuthenticated

    async def either(_service: object, _call: Call) -> Reply[Letter | NewLetter]:
        raise NotAuthenticated

    async def raw(_service: object, _call: Call) -> Response:
        raise NotAuthenticated

    async def nothing(_service: object, _call: Call) -> None:
        raise NotAuthenticated

    found = [Endpoint("GET", "/", handler).answers for handler in (bare, either, raw, nothing)]

    assert found == [(Letter,), (Letter, NewLetter), (), ()]
