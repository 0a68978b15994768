"""The assembly's part of who may come in: passwords, sessions, mail and other providers."""

from __future__ import annotations

from chatme.auth.codes import Codes
from chatme.auth.factors import FactorService
from chatme.auth.identities import IdentityService
from chatme.auth.links import Links
from chatme.auth.oauth import OAuthService
from chatme.auth.passwords import Hasher
from chatme.auth.postman import Postman
from chatme.auth.providers import Provider, rows
from chatme.auth.recovery import RecoveryService
from chatme.auth.remote import Wire
from chatme.auth.routes import AuthDoor
from chatme.auth.service import AuthService
from chatme.auth.tokens import Tokens
from chatme.ground import Base, limiter_of
from chatme.mail import open_mailer
from chatme.users.service import UserService


def build_entrance(base: Base, users: UserService) -> AuthDoor:
    """Everything of sign-in over the database; closed with the stack."""
    settings = base.settings
    hasher = Hasher(settings.password_cost)
    base.stack.callback(hasher.close)
    base.metrics.queue("hashing", lambda: hasher.waiting)
    tokens = Tokens(
        settings.jwt_secret.get_secret_value(),
        settings.jwt_refresh_secret.get_secret_value(),
        settings.jwt_expires_in,
        base.clock,
    )
    links = Links(settings.jwt_secret.get_secret_value(), base.clock)
    auth = AuthService(base.engine, base.clock, users, hasher, tokens, links, base.publisher)
    postman = Postman(open_mailer(settings, base.clock))
    base.stack.push_async_callback(postman.aclose)
    recovery = RecoveryService(
        base.engine,
        users,
        auth,
        hasher,
        links,
        postman,
        settings.frontend_url[0],
    )
    return AuthDoor(
        auth,
        recovery,
        FactorService(
            base.engine,
            users,
            auth,
            Codes(base.engine, base.clock, hasher),
            links,
            postman,
        ),
        _oauth(base, users, auth),
        users,
        frozenset(settings.frontend_url),
        settings.frontend_url[0],
        settings.public_url,
        settings.cookie_domain,
        settings.production,
        limiter_of(base),
        settings.rate_limit_auth,
    )


def _oauth(base: Base, users: UserService, auth: AuthService) -> OAuthService:
    wire = Wire()
    base.stack.push_async_callback(wire.aclose)
    providers = {
        name: Provider(client, dialect, wire, base.clock)
        for name, (client, dialect) in rows(base.settings, wire).items()
    }
    identities = IdentityService(base.clock, users, auth)
    secret = base.settings.jwt_secret.get_secret_value()
    return OAuthService(base.engine, base.clock, identities, providers, secret)
