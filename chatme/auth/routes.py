"""Signing up, in and out over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from starlette.requests import Request
from starlette.responses import RedirectResponse

from chatme.auth.factors import FactorService
from chatme.auth.oauth import STATE_LIFE, Arrival, OAuthService
from chatme.auth.providers import NAMES
from chatme.auth.recovery import RecoveryService
from chatme.auth.service import AuthService, Challenge, Entry, Grant
from chatme.auth.wire import (
    CodeGiven,
    Credentials,
    Enrolled,
    FactorState,
    Farewell,
    FarewellToAll,
    Forgotten,
    LinkToken,
    PasswordChange,
    PasswordReset,
    Proof,
    RecoveryCodes,
    Refreshed,
    Registration,
    SecondStep,
    SecondStepAsked,
    SessionList,
    SignedIn,
    Told,
    session_view,
)
from chatme.errors import Code, Forbidden, NotAuthenticated
from chatme.http.body import ShapeT
from chatme.http.caller import caller_of
from chatme.http.endpoint import Call, Endpoint, Handler
from chatme.http.replies import Cookie, Reply
from chatme.ports import Limiter
from chatme.rates import Rate
from chatme.users.service import UserService
from chatme.users.wire import Oneself

COOKIE = "refresh_token"
COOKIE_PATH = "/api/v1/auth"
TRIP_COOKIE = "oauth_trip"
_NO_STORE: Mapping[str, str] = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class AuthDoor:
    """What these routes need: the rules, and how cookies are set."""

    auth: AuthService
    recovery: RecoveryService
    factors: FactorService
    oauth: OAuthService
    users: UserService
    origins: frozenset[str]
    frontend: str
    public_url: str | None
    cookie_domain: str | None
    secure: bool
    limiter: Limiter
    rate: Rate | None

    async def slow_down(self, call: Call, what: str, account: str = "") -> None:
        """Counts one more try of an address, and of an account where one is named.

        Raises `RateLimited`. Guessers slow themselves down; open sessions of the account go on.
        """
        call.heed(await self.limiter.count(self.rate, what, "address", call.peer.network))
        if account:
            account = account.strip().lower()
            call.heed(await self.limiter.count(self.rate, what, "account", account))

    def cookie(self, value: str, max_age: int) -> Cookie:
        """The refresh token's cookie; an empty value clears it."""
        return Cookie(COOKIE, value, max_age, COOKIE_PATH, self.secure, self.cookie_domain)

    def grant_cookie(self, grant: Grant) -> Cookie:
        """The cookie of a fresh refresh token."""
        return self.cookie(grant.refresh_token, ceil(grant.refresh_life.total_seconds()))

    def signed_in(self, grant: Grant, shape: ShapeT) -> Reply[ShapeT]:
        """An answer that hands out tokens."""
        return Reply(shape, headers=_NO_STORE, cookie=self.grant_cookie(grant))

    def redirect(self, url: str, seal: str = "", grant: Grant | None = None) -> RedirectResponse:
        """On to an address; the cookie of a trip to a provider is set, or cleared."""
        response = RedirectResponse(url, 302, dict(_NO_STORE))
        life = ceil(STATE_LIFE.total_seconds()) if seal else 0
        Cookie(TRIP_COOKIE, seal, life, COOKIE_PATH, self.secure).set_on(response)
        if grant is not None:
            self.grant_cookie(grant).set_on(response)
        return response

    def landing(self, outcome: Entry | Challenge | None) -> RedirectResponse:
        """On to the page that waits for who comes back from a provider.

        Who is asked for a second factor brings the token in the fragment, which no server is sent.
        """
        page = f"{self.frontend}/oauth/callback"
        match outcome:
            case None:
                return self.redirect(f"{page}?error=oauth_failed")
            case Challenge(token):
                return self.redirect(f"{page}#mfaToken={token}")
            case Entry():
                return self.redirect(page, grant=outcome)


async def register(door: AuthDoor, call: Call, body: Registration) -> Reply[SignedIn]:
    """Makes an account and signs it in.

    The refresh token comes as the cookie ``refresh_token``, and a letter with a link that verifies
    the address is sent where the server sends mail.
    """
    await door.slow_down(call, "register")
    entry = await door.auth.register(body, call.peer)
    door.recovery.welcome(entry.user.id)
    return _welcome(door, entry)


async def login(door: AuthDoor, call: Call, body: Credentials) -> Reply[SignedIn | SecondStepAsked]:
    """Signs in with address and password, or asks for the second factor where there is one.

    With a second factor the answer is only ``mfaToken``: send it with a code to
    ``POST /auth/login/totp`` within five minutes. An unknown address and a wrong password look
    alike.
    """
    await door.slow_down(call, "login", body.email)
    outcome = await door.auth.login(body, call.peer)
    if isinstance(outcome, Challenge):
        return _private(SecondStepAsked(mfa_token=outcome.token))
    return _welcome(door, outcome)


async def login_second(door: AuthDoor, call: Call, body: SecondStep) -> Reply[SignedIn]:
    """The second step of a sign-in: a code of the authenticator app, or one for a lost phone."""
    await door.slow_down(call, "code", str(door.factors.challenged(body.mfa_token)))
    return _welcome(door, await door.factors.sign_in(body.mfa_token, body.code, call.peer))


async def refresh(door: AuthDoor, call: Call) -> Reply[Refreshed]:
    """A fresh access token for the cookie, which is rotated.

    A cookie that was rotated away more than 10 seconds ago ends the session: somebody has a copy.
    """
    await door.slow_down(call, "refresh")
    _refuse_foreign_origin(door, call.request)
    token = call.request.cookies.get(COOKIE)
    if not token:
        raise NotAuthenticated("There is no session.", code=Code.SESSION_ENDED)
    grant = await door.auth.refresh(token)
    return door.signed_in(grant, Refreshed(access_token=grant.access_token))


async def logout(door: AuthDoor, call: Call) -> Reply[Farewell]:
    """Ends the session that the access token or the cookie names.

    Its sockets close, and the cookie is cleared.
    """
    _refuse_foreign_origin(door, call.request)
    cookie = call.request.cookies.get(COOKIE)
    principal = None
    try:
        principal = await caller_of(call.request.scope, door.auth)
    except NotAuthenticated:
        if not cookie:
            raise
    await door.auth.logout(principal, cookie)
    return Reply(
        Farewell(message="You are signed out."), headers=_NO_STORE, cookie=door.cookie("", 0)
    )


async def logout_all(door: AuthDoor, call: Call) -> Reply[FarewellToAll]:
    """Ends all the caller's sessions, this one included."""
    ended = await door.auth.end_all(call.caller.user_id)
    farewell = FarewellToAll(message="You are signed out everywhere.", sessions=ended)
    return Reply(farewell, headers=_NO_STORE, cookie=door.cookie("", 0))


async def sessions(door: AuthDoor, call: Call) -> Reply[SessionList]:
    """The caller's sessions, one for each login."""
    found = await door.auth.sessions(call.caller.user_id)
    items = [session_view(each, call.caller.session_id) for each in found]
    return _private(SessionList(items=items))


async def revoke(door: AuthDoor, call: Call) -> None:
    """Ends one of the caller's sessions.

    Its sockets close at once, with 4401.
    """
    await door.auth.revoke(call.caller.user_id, call.path_id("session_id"))


async def me(door: AuthDoor, call: Call) -> Reply[Oneself]:
    """The caller, as oneself."""
    return _private(await door.users.oneself(call.caller.user_id))


async def request_verification(door: AuthDoor, call: Call) -> Reply[Told]:
    """Sends the caller a link that verifies their address."""
    await door.slow_down(call, "verification", str(call.caller.user_id))
    door.recovery.request_verification(call.caller.user_id)
    return _told("If your address is not confirmed yet, a letter with a link is on its way.")


async def verify(door: AuthDoor, call: Call, body: LinkToken) -> Reply[Told]:
    """Verifies an address by the link's token."""
    await door.slow_down(call, "verify")
    await door.recovery.verify(body.token)
    return _told("Your address is confirmed.")


async def forgot_password(door: AuthDoor, call: Call, body: Forgotten) -> Reply[Told]:
    """Sends a link that resets the password, if the address has an account.

    The answer is the same where it has none.
    """
    await door.slow_down(call, "forgot", body.email)
    door.recovery.forgot(body.email)
    return _told("If there is an account with this address, a letter with a link is on its way.")


async def reset_password(door: AuthDoor, call: Call, body: PasswordReset) -> Reply[Told]:
    """Sets a password by the link's token, and ends all sessions."""
    await door.slow_down(call, "reset")
    await door.recovery.reset(body.token, body.password)
    return _told("Your password is changed. Sign in with it.")


async def change_password(door: AuthDoor, call: Call, body: PasswordChange) -> Reply[Told]:
    """Changes the caller's password, and ends their other sessions."""
    await door.slow_down(call, "change", str(call.caller.user_id))
    await door.recovery.change(call.caller, body.current_password, body.new_password)
    return _told("Your password is changed, and your other devices are signed out.")


async def factor_state(door: AuthDoor, call: Call) -> Reply[FactorState]:
    """Whether the caller has a second factor."""
    factor = await door.factors.state(call.caller.user_id)
    left = len(factor.recovery) if factor else 0
    return _private(FactorState(enabled=factor is not None, recovery_codes_left=left))


async def enrol_factor(door: AuthDoor, call: Call, body: Proof) -> Reply[Enrolled]:
    """A secret for an authenticator app; asks for the password or a fresh login."""
    await door.slow_down(call, "proof", str(call.caller.user_id))
    enrolment = await door.factors.enrol(call.caller, body.password)
    return _private(Enrolled(secret=enrolment.secret, uri=enrolment.address))


async def confirm_factor(door: AuthDoor, call: Call, body: CodeGiven) -> Reply[RecoveryCodes]:
    """Turns the second factor on by a code of it; hands out the recovery codes, once.

    The caller's other sessions end.
    """
    await door.slow_down(call, "code", str(call.caller.user_id))
    codes = await door.factors.confirm(call.caller, body.code)
    return _private(RecoveryCodes(recovery_codes=codes))


async def renew_recovery(door: AuthDoor, call: Call, body: CodeGiven) -> Reply[RecoveryCodes]:
    """New recovery codes in place of the old."""
    await door.slow_down(call, "code", str(call.caller.user_id))
    codes = await door.factors.renew_recovery(call.caller, body.code)
    return _private(RecoveryCodes(recovery_codes=codes))


async def disable_factor(door: AuthDoor, call: Call, body: CodeGiven) -> Reply[Told]:
    """Turns the second factor off by one of its codes, and ends the caller's other sessions."""
    await door.slow_down(call, "code", str(call.caller.user_id))
    await door.factors.disable(call.caller, body.code)
    return _told("The second factor is off.")


def _departing(name: str) -> Handler:
    async def depart(door: AuthDoor, call: Call) -> RedirectResponse:
        """Sends somebody to a provider to sign in there.

        For a browser to go to, not for a script to fetch.
        """
        url = call.request.url
        here = door.public_url or f"{url.scheme}://{url.netloc}"
        departure = await door.oauth.begin(name, f"{here}{COOKIE_PATH}/{name}/callback")
        if departure is None:
            return door.landing(None)
        return door.redirect(departure.url, departure.seal)

    return depart


def _arriving(name: str) -> Handler:
    async def arrive(door: AuthDoor, call: Call) -> RedirectResponse:
        """Signs in who comes back from a provider; on any failure nobody is signed in.

        Leads on to ``/oauth/callback`` of the frontend: with the refresh cookie set, with
        ``#mfaToken=…`` where there is a second factor, or with ``?error=oauth_failed``.
        """
        query = call.request.query_params
        arrival = Arrival(
            seal=call.request.cookies.get(TRIP_COOKIE),
            state=query.get("state"),
            code=query.get("code"),
            error=query.get("error"),
            issuer=query.get("iss"),
        )
        return door.landing(await door.oauth.finish(name, arrival, call.peer))

    return arrive


def _told(message: str) -> Reply[Told]:
    return _private(Told(message=message))


def _private(shape: ShapeT) -> Reply[ShapeT]:
    return Reply(shape, headers=_NO_STORE)


def _welcome(door: AuthDoor, entry: Entry) -> Reply[SignedIn]:
    return door.signed_in(entry, SignedIn(access_token=entry.access_token, user=entry.user))


def _refuse_foreign_origin(door: AuthDoor, request: Request) -> None:
    """A cookie is sent along by any page; only ours may use it (OWASP, CSRF Prevention)."""
    origin = request.headers.get("origin")
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if origin is not None and origin != own and origin not in door.origins:
        raise Forbidden("Not from this origin.", code=Code.FOREIGN_ORIGIN)


_PASSWORD = (Code.INVALID_CREDENTIALS,)
_CODE = (Code.INVALID_CODE,)
_SESSION = (Code.SESSION_ENDED, Code.FOREIGN_ORIGIN)
_LOGOUT = (*_SESSION, Code.NOT_AUTHENTICATED)
_NEW = (Code.EMAIL_TAKEN,)
_STEP = (*_CODE, Code.LOGIN_EXPIRED, Code.INVALID_CREDENTIALS)
_PROOF = (*_PASSWORD, Code.FRESH_LOGIN_NEEDED)
_ON = (Code.SECOND_FACTOR_ON,)
_GONE = (Code.NOT_FOUND,)  # the account ended while its request was on its way
_CONFIRM = (*_CODE, *_ON, *_GONE, Code.CONFLICT)
_LINK = (Code.INVALID_LINK,)
_NO_MAIL = (Code.MAIL_NOT_CONFIGURED,)
_NO_PROVIDER = (Code.PROVIDER_NOT_CONFIGURED,)
_COOKIE = ("Set-Cookie",)
_BY_COOKIE = ("refreshCookie",)
_BY_EITHER = ("bearer", "refreshCookie")
_AWAY = ("Location", "Set-Cookie")

ROUTES = (
    Endpoint("POST", "/auth/register", register, 201, True, _NEW, _COOKIE),
    Endpoint("POST", "/auth/login", login, 200, True, _PASSWORD, _COOKIE),
    Endpoint("POST", "/auth/login/totp", login_second, 200, True, _STEP, _COOKIE),
    Endpoint("POST", "/auth/refresh", refresh, 200, True, _SESSION, _COOKIE, _BY_COOKIE),
    Endpoint("POST", "/auth/logout", logout, 200, True, _LOGOUT, _COOKIE, _BY_EITHER),
    Endpoint("POST", "/auth/logout-all", logout_all, headers=_COOKIE),
    Endpoint("GET", "/auth/sessions", sessions),
    Endpoint("DELETE", "/auth/sessions/{session_id}", revoke, 204),
    Endpoint("GET", "/auth/me", me, codes=_GONE),
    Endpoint("POST", "/auth/verify/request", request_verification, 202, codes=_NO_MAIL),
    Endpoint("POST", "/auth/verify", verify, public=True, codes=_LINK),
    Endpoint("POST", "/auth/password/forgot", forgot_password, 202, True, _NO_MAIL),
    Endpoint("POST", "/auth/password/reset", reset_password, 200, True, _LINK),
    Endpoint("POST", "/auth/password/change", change_password, codes=_PASSWORD),
    Endpoint("GET", "/auth/totp", factor_state, codes=_GONE),
    Endpoint("POST", "/auth/totp/enrol", enrol_factor, codes=(*_PROOF, *_ON)),
    Endpoint("POST", "/auth/totp/confirm", confirm_factor, codes=_CONFIRM),
    Endpoint("POST", "/auth/totp/recovery-codes", renew_recovery, codes=(*_CODE, *_GONE)),
    Endpoint("POST", "/auth/totp/disable", disable_factor, codes=(*_CODE, *_GONE)),
    *(
        Endpoint("GET", f"/auth/{name}", _departing(name), 302, True, _NO_PROVIDER, _AWAY)
        for name in NAMES
    ),
    *(
        Endpoint("GET", f"/auth/{name}/callback", _arriving(name), 302, True, headers=_AWAY)
        for name in NAMES
    ),
)
