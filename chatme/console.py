"""What an operator does to accounts from the command line.

The embedded database belongs to one process: stop the server first, or use MongoDB.
"""

from __future__ import annotations

import argparse
import sys
from getpass import getpass
from typing import TYPE_CHECKING

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from chatme.auth.wire import Registration
from chatme.principal import Peer
from chatme.settings import Settings
from chatme.users.models import User
from chatme.users.wire import normal_email
from chatme.wiring import Services, open_services
from chatme.wording import describe

if TYPE_CHECKING:
    from argparse import _SubParsersAction

DONE, REFUSED = 0, 1
PAGE = 100
CONSOLE = Peer(address="console", user_agent="chatme")


def add_account_commands(commands: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds ``create-admin``, ``reset-password``, ``disable-totp``, ``deactivate`` and
    ``list-users``."""
    create = commands.add_parser("create-admin", help="make an admin of a new or a known address")
    create.add_argument("email", type=_email)
    create.add_argument("--name", default="Admin", help="the display name of a new account")
    reset = commands.add_parser("reset-password", help="set a password and end all sessions")
    reset.add_argument("email", type=_email)
    lost = commands.add_parser("disable-totp", help="drop a lost second factor, end all sessions")
    lost.add_argument("email", type=_email)
    shut_out = commands.add_parser("deactivate", help="shut a user out and end all sessions")
    shut_out.add_argument("email", type=_email)
    commands.add_parser("list-users", help="all users, a line each")


async def run_account_command(settings: Settings, wanted: argparse.Namespace) -> int:
    """Runs one of them; returns the process's exit status."""
    async with open_services(settings) as services:
        if wanted.command == "list-users":
            return await _list_users(services)
        user = await services.users.by_email(wanted.email)
        if wanted.command == "create-admin":
            return await _create_admin(services, wanted, user)
        if user is None:
            return _refuse(f"There is no user with the address {wanted.email}.")
        if wanted.command == "deactivate":
            await services.auth.auth.deactivate(user.id)
            return _say(f"{user.email} is shut out.")
        if wanted.command == "disable-totp":
            await services.auth.factors.drop(user.id)
            return _say(f"{user.email} signs in without a second factor.")
        return await _reset_password(services, user)


async def _create_admin(services: Services, wanted: argparse.Namespace, user: User | None) -> int:
    made = None
    if user is None:
        made = _registration(wanted.name, wanted.email)
        if made is None:
            return REFUSED
        await services.auth.auth.register(made, CONSOLE)
        user = await services.users.by_email(made.email)
    if user is None:
        return _refuse("The account could not be made.")
    await services.users.make_admin(user.id)
    if made is not None:
        await services.auth.auth.end_all(user.id)  # a registration signs in; nobody sits here
    return _say(f"{user.email} is an admin.")


async def _reset_password(services: Services, user: User) -> int:
    wanted = _registration(user.display_name, user.email)
    if wanted is None:
        return REFUSED
    await services.auth.auth.set_password(user.id, wanted.password)
    return _say(f"{user.email} has a new password, and all sessions have ended.")


async def _list_users(services: Services) -> int:
    last = None
    while users := await services.users.everyone(last, PAGE):
        for user in users:
            state = "active" if user.is_active else "deactivated"
            print(f"{user.id}  {user.role:5}  {state:11}  {user.email}  {user.display_name}")
        last = users[-1].id
    return DONE


def _registration(name: str, email: str) -> Registration | None:
    """The account as typed, its password from the terminal or the first line of a pipe."""
    password = getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    fields = {"displayName": name, "email": email, "password": password}
    try:
        return Registration.model_validate(fields)
    except ValidationError as error:
        for fault in error.errors():
            _refuse(f"{fault['loc'][0]} {describe(fault)}")
        return None


def _email(text: str) -> str:
    try:
        return normal_email(text)
    except PydanticCustomError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error.message()}") from None


def _say(words: str) -> int:
    print(words)
    return DONE


def _refuse(words: str) -> int:
    print(words, file=sys.stderr)
    return REFUSED
