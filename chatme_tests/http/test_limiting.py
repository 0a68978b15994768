"""Tests for how often one may ask, and what the answers tell of it."""

from __future__ import annotations

from collections.abc import Sequence

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from chatme.errors import RateLimited
from chatme.http.caller import caller_of
from chatme.http.limiting import RateLimitFields, RateLimits, note
from chatme.http.middleware import Unexpected
from chatme.principal import Principal
from chatme.rates import Quota, Rate
from chatme_tests.http.fakes import CALLER, SIGNED_IN, Doorkeeper, ask, fail, run, show

SHORT, LONG = Rate(2, 1), Rate(3, 60)
USER = ("request", "user", str(CALLER.user_id))


class Abacus:
    """A Limiter whose windows never move."""

    def __init__(self) -> None:
        self.counted: dict[tuple[object, ...], int] = {}

    async def count(self, rate: Rate | None, *names: str) -> Quota | None:
        """Counts once more."""
        assert rate is not None
        key = (rate, *names)
        spent = self.counted.get(key, 0) >= rate.amount
        self.counted[key] = self.counted.get(key, 0) + (not spent)
        return Quota(rate, rate.amount - self.counted[key], rate.seconds - 0.5, spent=spent)


def limited(
    app: ASGIApp = show, rates: Sequence[Rate] = (LONG, SHORT), keeper: Doorkeeper | None = None
) -> tuple[ASGIApp, Abacus]:
    """An application with limits, and what counts."""
    abacus = Abacus()
    inner = RateLimits(app, abacus, keeper or Doorkeeper(), rates, ("/free",))
    return RateLimitFields(Unexpected(inner)), abacus


def fields(answer: httpx.Response) -> list[str]:
    """Limit, remaining and reset, as the answer tells them."""
    return [answer.headers[f"ratelimit-{name}"] for name in ("limit", "remaining", "reset")]


async def test_each_answer_tells_the_tightest() -> None:
    """An answer tells of the window with the least left, and of two alike of the slower one."""
    app, _ = limited()
    answers = [await ask(app, "GET", "/") for _ in range(2)]
    tight, _ = limited(rates=[Rate(9, 1), Rate(5, 60)])

    assert [fields(answer) for answer in answers] == [["2", "1", "1"], ["2", "0", "1"]]
    assert fields(await ask(tight, "GET", "/")) == ["5", "4", "60"]
    assert fields(await ask(limited(rates=[Rate(5, 1), Rate(5, 60)])[0], "GET", "/"))[2] == "60"


async def test_over_it_is_a_429() -> None:
    """Over a rate the answer is a 429 in the envelope that says when to come back."""
    app, _ = limited(fail, [LONG])
    for _ in range(3):
        assert (await ask(app, "GET", "/")).status_code == 500
    answer = await ask(app, "POST", "/any/where", content=b"{")

    assert answer.status_code == 429
    assert answer.json()["code"] == "rate_limited"
    assert answer.headers["retry-after"] == "60"
    assert fields(answer) == ["3", "0", "60"]


async def test_the_short_window_comes_first() -> None:
    """What the shorter window refuses is not counted against the longer one."""
    app, abacus = limited()
    answers = [await ask(app, "GET", "/") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200, 200, 429, 429, 429]
    assert abacus.counted[LONG, "request", "address", "127.0.0.1"] == 2


async def test_faults_of_ours_tell_it_too() -> None:
    """A 500 carries the fields like every answer."""
    app, _ = limited(fail)

    assert fields(await ask(app, "GET", "/")) == ["2", "1", "1"]


async def test_users_are_counted_as_users() -> None:
    """A genuine token counts for its user, wherever they are, and not for the address."""
    app, abacus = limited(rates=[LONG])
    for client in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        await ask(app, "GET", "/", headers=SIGNED_IN, client=client)
    refused = await ask(app, "GET", "/", headers=SIGNED_IN, client="192.0.2.4")

    assert refused.status_code == 429
    assert list(abacus.counted) == [(LONG, *USER)]
    assert (await ask(app, "GET", "/", client="192.0.2.1")).status_code == 200


@pytest.mark.parametrize("value", ["", "Bearer forged", "Bearer", "Basic YTpi"])
async def test_strangers_are_counted_by_address(value: str) -> None:
    """Without a genuine token it is the address that counts, an IPv6 one by its /64."""
    app, abacus = limited(rates=[LONG])
    for client in ("192.0.2.1", "2001:db8::1", "2001:db8::2", "::ffff:192.0.2.1"):
        await ask(app, "GET", "/", headers={"Authorization": value}, client=client)

    assert abacus.counted == {
        (LONG, "request", "address", "192.0.2.1"): 2,
        (LONG, "request", "address", "2001:db8::/64"): 2,
    }


async def test_a_token_is_looked_up_once() -> None:
    """The route behind asks who calls without another look at the database."""
    keeper = Doorkeeper()

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        assert await caller_of(scope, keeper) == CALLER
        await show(scope, receive, send)

    app, _ = limited(route, keeper=keeper)

    assert (await ask(app, "GET", "/", headers=SIGNED_IN)).status_code == 200
    assert keeper.asked == 1


async def test_a_failed_look_up_is_counted() -> None:
    """Where it cannot be told who calls, the address is counted, and the fault is shown as ours."""

    class Failing(Doorkeeper):
        async def authenticate(self, token: str) -> Principal:
            raise ConnectionError(token)

    app, _ = limited(rates=[Rate(1, 60)], keeper=Failing())
    first = await ask(app, "GET", "/", headers=SIGNED_IN)
    second = await ask(app, "GET", "/", headers=SIGNED_IN)

    assert (first.status_code, second.status_code) == (500, 429)
    assert fields(first) == ["1", "0", "60"]


@pytest.mark.parametrize(("path", "free"), [("/free", True), ("/free/x", True), ("/freely", False)])
async def test_some_paths_are_free(path: str, free: bool) -> None:
    """What is named, and what is below it, is neither counted nor tells of limits."""
    app, abacus = limited()
    answer = await ask(app, "GET", path)

    assert ("ratelimit-limit" not in answer.headers) is free
    assert (not abacus.counted) is free


@pytest.mark.parametrize(
    ("path", "who"), [("/docs", "address"), ("/docs/x", "address"), ("/docsthing", "user")]
)
async def test_some_callers_have_no_name(path: str, who: str) -> None:
    """What needs no database asks it for nobody: its callers are counted by address."""
    keeper, abacus = Doorkeeper(), Abacus()
    app = RateLimits(show, abacus, keeper, [LONG], ("/free",), ("/docs",))
    await ask(app, "GET", path, headers=SIGNED_IN)

    assert [names[2] for names in abacus.counted] == [who]
    assert keeper.asked == (who == "user")


async def test_without_rates_nobody_is_asked() -> None:
    """Where every rate is turned off, nothing is counted, told or looked up."""
    keeper = Doorkeeper()
    app, abacus = limited(rates=[], keeper=keeper)
    answer = await ask(app, "GET", "/", headers=SIGNED_IN)

    assert "ratelimit-limit" not in answer.headers
    assert not abacus.counted
    assert keeper.asked == 0


async def test_a_routes_own_quota_is_told() -> None:
    """A quota that a route counts is among those that are told, and the spent one first."""

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        note(scope, Quota(Rate(7, 60), 0, 50.0))
        with pytest.raises(RateLimited):
            note(scope, Quota(Rate(8, 60), 0, 9.1, spent=True))
        await show(scope, receive, send)

    app, _ = limited(route)

    assert fields(await ask(app, "GET", "/")) == ["8", "0", "10"]


async def test_sockets_are_not_counted() -> None:
    """A WebSocket passes: its frames have a rate of their own."""
    app, abacus = limited()
    scope: Scope = {"type": "websocket", "path": "/", "headers": [], "client": None, "scheme": "ws"}
    await run(app, scope)

    assert not abacus.counted
