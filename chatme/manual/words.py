"""What the manual of the socket says for people, where shapes and docstrings do not say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatme.errors import Code
from chatme.realtime.close import ComeBack
from chatme.realtime.commands import HEARTBEAT_SECONDS
from chatme.realtime.contract import Step, Words
from chatme.realtime.samples import Samples

_TO_MEMBERS = "To the sockets of all members, the actor's own included."

EFFECTS: Mapping[str, str] = {
    "auth": "The first frame of a socket whose handshake carried no token; it is followed by "
    "`connected`. On an open socket it replaces the token, which must be the same user's.",
    "ping": "Then `pong`, and the ack where there is an `id`.",
    "join_conversation": "Then `joined`.",
    "close_conversation": "Its notifications come again.",
    "typing": "Then `user_typing` to the others. It ends by itself after 6 seconds: send it again "
    "while the user writes.",
    "stop_typing": "Then `user_stopped_typing` to the others.",
    "send_message": "Then `new_message` to every member's sockets, the sender's own included, "
    "`messages_delivered` back, and a `notification`. With the same `clientId` it is the same "
    "message, however often it is sent.",
    "open_conversation": "All of it is read: `messages_read`. Until `close_conversation` or "
    "another open, this socket gets no `notification` for it, and hears of its members' presence.",
    "mark_read": "That message alone is read: `messages_read`.",
    "edit_message": "Then `message_edited`. Own text messages only.",
    "delete_message": "Then `message_deleted`. Own messages, or anybody's for a group's admin.",
    "add_reaction": "Then `message_reaction_added`. One for each user and message; one emoji of "
    "at most 32 bytes.",
    "remove_reaction": "Then `message_reaction_removed`.",
    "resume": "Before the ack, by `rev`: a `new_message` for each message that came since, a "
    "`message_updated` for each older one that changed, once each, as they stand now. A "
    "conversation that is not named is sent from its last 30 messages. Where one has over 200 "
    "changes its newest 200 come and `limited` is true: the rest is at `GET /messages`. Ask again "
    "while `complete` is false. Drop what you have by `id` and `rev`.",
    "connected": "The first frame of an open socket. What waited for the user is now delivered.",
    "token_expiring": "60 seconds ahead: refresh over REST and send `auth`, or be closed with"
    " 4401.",
    "server_restarting": "Before the close with 1012; in milliseconds.",
    "conversation_created": "To all members as it is made, and to a new member.",
    "conversation_updated": _TO_MEMBERS,
    "conversation_removed": "To who is no longer in it, or deleted it.",
    "member_added": _TO_MEMBERS,
    "member_removed": _TO_MEMBERS,
    "joined": "To the socket that asked.",
    "user_typing": "To the other members, never to the blocked.",
    "user_stopped_typing": "To the other members, never to the blocked.",
    "user_online": "At a user's first socket: to the partners of direct conversations, and to "
    "sockets that have a group with the user open.",
    "user_offline": "After a user's last socket; a reconnect within 5 seconds shows nothing.",
    "new_message": _TO_MEMBERS,
    "messages_delivered": "`messageIds` lists at most 500; `upToSeq` is a number where all up to "
    "it are meant, and null where single messages are.",
    "messages_read": "`messageIds` and `upToSeq` as in `messages_delivered`.",
    "message_edited": _TO_MEMBERS,
    "message_deleted": _TO_MEMBERS,
    "message_reaction_added": _TO_MEMBERS,
    "message_reaction_removed": _TO_MEMBERS,
    "notification": "To who was online; who was not finds it at `GET /notifications`. `id` is "
    "null where it was not stored.",
    "error": "`bad_frame`, `unknown_event` and `validation_failed` leave the socket open, as all "
    "errors do but a bad token. While the database is away every command but `ping` is answered "
    "`unavailable`: whether it was done is not known then, and it may be sent again.",
}

CODES: Mapping[Code, str] = {
    Code.BAD_REQUEST: "What is asked makes no sense.",
    Code.BAD_FRAME: "The frame is not JSON, not an object, or names no event.",
    Code.BLOCKED: "One of the two has blocked the other.",
    Code.CONFLICT: "This clashes with what is there already, or with what others do just now.",
    Code.EMAIL_TAKEN: "Over REST only: there is an account with this address.",
    Code.FORBIDDEN: "You see the thing, but may not do this to it.",
    Code.FOREIGN_ORIGIN: "At the handshake: the page's origin is not one of ours.",
    Code.FRESH_LOGIN_NEEDED: "Over REST only: send the password, or sign in again first.",
    Code.HEADERS_TOO_LARGE: "Over HTTP only: the request's head is too large.",
    Code.INTERNAL: "Something went wrong on our side; the socket lives.",
    Code.INVALID_CREDENTIALS: "Over REST only: wrong address or password.",
    Code.INVALID_CODE: "Over REST only: the code of the second factor is wrong or was used.",
    Code.INVALID_LINK: "Over REST only: the link of a mail is used up, too old or forged.",
    Code.LAST_ADMIN: "Over REST only: a group keeps at least one admin.",
    Code.LOGIN_EXPIRED: "Over REST only: the first step of the sign-in must be done again.",
    Code.MAIL_NOT_CONFIGURED: "Over REST only: this server sends no mail.",
    Code.METHOD_NOT_ALLOWED: "Over HTTP only: the path does not take that method.",
    Code.NOT_AUTHENTICATED: "Nobody, or nobody any longer, is signed in: send `auth` first.",
    Code.NOT_FOUND: "There is no such thing, or none that you may see.",
    Code.PAYLOAD_TOO_LARGE: "Over HTTP only; a frame that is too large closes with 1009.",
    Code.PROVIDER_NOT_CONFIGURED: "Over REST only: this server knows no such sign-in.",
    Code.RANGE_NOT_SATISFIABLE: "Over HTTP only: the file ends before what is asked for.",
    Code.RATE_LIMITED: "Too many frames: wait for `retryAfter` seconds.",
    Code.REQUEST_TIMEOUT: "Over HTTP only: the request did not arrive in time.",
    Code.SECOND_FACTOR_ON: "Over REST only: there is a second factor already.",
    Code.SESSION_ENDED: "Over REST only: the session is over, sign in again.",
    Code.STORAGE_FULL: "Over REST only: there is no room left for an upload.",
    Code.UNAVAILABLE: "Not just now, or the database is away: wait for `retryAfter` seconds. "
    "At the handshake: a 503.",
    Code.UNKNOWN_EVENT: "There is no event of that name.",
    Code.UNSUPPORTED_MEDIA_TYPE: "Over HTTP only: the body is of another type.",
    Code.VALIDATION_FAILED: "Fields are missing or wrong: `errors` names each.",
}

COME_BACK: Mapping[ComeBack, str] = {
    ComeBack.NO: "Mend the client: it would only happen again.",
    ComeBack.SIGNED_IN: "Come back only with a new token.",
    ComeBack.AFTER_DELAY: "Come back after a growing random delay, and resume.",
}

LIFE = (
    Step(
        "Connect",
        "One WebSocket carries JSON objects in text frames, both ways. An `Origin` that is "
        "neither ours nor in `FRONTEND_URL` is refused with 403.",
        ("> GET /chat HTTP/1.1 … Upgrade: websocket",),
    ),
    Step(
        "Authenticate",
        "The access token comes in the `Authorization` header, as `?token=`, or, best since it "
        "stays out of every log, in the first frame. Then the server says `connected` and sends "
        "every event of all the user's conversations.",
        (
            '> {"event": "auth", "data": {"token": "eyJ…"}}',
            '< {"event": "connected", "data": {"userId": "…", "heartbeatInterval": 25, …}}',
        ),
    ),
    Step(
        "Send",
        "An `id` of your choice asks for an answer, a `clientId` makes the message one and the "
        "same however often it is sent. Frames of one socket are worked in order.",
        (
            '> {"event": "send_message", "id": 7, "data": {"conversationId": "…", '
            '"content": "Hello!", "clientId": "c-7"}}',
        ),
    ),
    Step(
        "Ack",
        "A frame with an `id` is answered exactly once, by `ack` or `error` with that `id`. An ack "
        "is a promise: the message is on the disk. No ack? Send it again, on any socket, with the "
        "same `clientId`.",
        (
            '< {"event": "ack", "id": 7, "data": {"message": {"seq": 42, …}}}',
            '< {"event": "error", "id": 7, "data": {"code": "not_found", …}}',
        ),
    ),
    Step(
        "Resume",
        "After every connect, tell the `rev` of each conversation that you know. You get what came "
        "or changed since, once each, as it stands now, and then the ack with the new revs.",
        (
            '> {"event": "resume", "id": 8, "data": {"conversations": {"65f0…": 57}}}',
            '< {"event": "new_message", "data": {"rev": 58, …}}',
            '< {"event": "ack", "id": 8, "data": {"conversations": '
            '{"65f0…": {"rev": 58, "limited": false}}, "complete": true}}',
        ),
    ),
    Step(
        "Close",
        "The close code says whether to come back, and how: see the close codes. Before a restart "
        "each socket is told its own slot, in milliseconds.",
        ('< {"event": "server_restarting", "data": {"reconnectIn": 1250}}', "< close 1012"),
    ),
)

SECURITY: Mapping[str, dict[str, Any]] = {
    "firstFrame": {
        "type": "apiKey",
        "in": "password",
        "description": "Best: the `auth` command as the first frame. It stays out of every log.",
    },
    "header": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "`Authorization: Bearer <access token>` in the handshake.",
    },
    "query": {
        "type": "httpApiKey",
        "in": "query",
        "name": "token",
        "description": "`/chat?token=<access token>`, for clients that can do nothing else.",
    },
}

SAMPLES = Samples(
    values={
        "key": "65f0c0ffee65f0c0ffee65f0",
        "id": "65f0c0ffee65f0c0ffee6501",
        "sender.id": "65f0c0ffee65f0c0ffee65a1",
        "user.id": "65f0c0ffee65f0c0ffee65a1",
        "byId": "65f0c0ffee65f0c0ffee65a1",
        "byName": "Ada",
        "code": "not_found",
        "complete": True,
        "type": "group",
        "messageId": "65f0c0ffee65f0c0ffee6501",
        "userId": "65f0c0ffee65f0c0ffee65a1",
        "receipt.userId": "65f0c0ffee65f0c0ffee65a2",
        "receipt.status": "read",
        "reaction.userId": "65f0c0ffee65f0c0ffee65a2",
        "readBy": "65f0c0ffee65f0c0ffee65a1",
        "deletedBy": "65f0c0ffee65f0c0ffee65a1",
        "senderId": "65f0c0ffee65f0c0ffee65a1",
        "connectionId": "65f0c0ffee65f0c0ffee65c1",
        "token": "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl",
        "clientId": "c-7",
        "content": "Hello!",
        "displayName": "Ada",
        "bio": "Mathematics and tea.",
        "senderName": "Ada",
        "preview": "Hello!",
        "name": "Tea",
        "emoji": "👍",
        "seq": 42,
        "readSeq": 42,
        "deliveredSeq": 42,
        "upToSeq": 42,
        "rev": 57,
        "memberCount": 2,
        "unreadCount": 3,
        "heartbeatInterval": HEARTBEAT_SECONDS,
        "reconnectIn": 1250,
        "message": "There is no such thing.",
        "field": "content",
        "retryAfter": 0.05,
    },
    optional=frozenset({"content", "clientId"}),
)

WORDS = Words(
    title="ChatMe, real time",
    summary="A WebSocket that carries JSON objects in text frames.",
    description="One endpoint, `/chat`. From the client: "
    '`{"event": "…", "data": {…}, "id": …}`; to the client: '
    '`{"event": "…", "data": {…}}`. The names are those of Socket.io.',
    security=SECURITY,
    come_back=COME_BACK,
    codes=CODES,
    effects=EFFECTS,
    life=LIFE,
)
