"""Messages over HTTP and over the socket."""

from __future__ import annotations

from dataclasses import dataclass

from chatme.conversations.wire import ConversationNamed
from chatme.http.endpoint import Call, Endpoint
from chatme.messages.changes import ChangeService
from chatme.messages.receipts import ReceiptService
from chatme.messages.resume import ResumeService, known_revs
from chatme.messages.search import SearchService
from chatme.messages.service import MessageService
from chatme.messages.wire import (
    ConversationRead,
    FoundPage,
    HistoryQuery,
    MessageDraft,
    MessageEdit,
    MessageNamed,
    MessageNamedAnswer,
    MessagePage,
    MessageSent,
    MessageView,
    ReactionAnswer,
    ReactionWanted,
    ReceiptList,
    ResumeAnswer,
    ResumeWanted,
    SendMessage,
    WordsWanted,
)
from chatme.realtime.dispatcher import Client, Command


@dataclass(frozen=True, slots=True)
class MessageDoor:
    """What these routes and commands need."""

    messages: MessageService
    changes: ChangeService
    receipts: ReceiptService
    resume: ResumeService
    search: SearchService


async def history(door: MessageDoor, call: Call, query: HistoryQuery) -> MessagePage:
    """A page of a conversation, newest first.

    Without what is from before the caller's own clearing, or from somebody the caller blocked. With
    ``after`` alone it is the page right after that message.
    """
    return await door.messages.history(call.caller.user_id, call.path_id("conversation_id"), query)


async def search(door: MessageDoor, call: Call, query: WordsWanted) -> FoundPage:
    """Finds messages of a conversation, newest first.

    Every word of ``q`` must begin a word of the message, without case and accents; what is written
    without spaces is found by any part.
    """
    conversation_id = call.path_id("conversation_id")
    return await door.search.in_one(call.caller.user_id, conversation_id, query)


async def search_all(door: MessageDoor, call: Call, query: WordsWanted) -> FoundPage:
    """Finds messages of all the caller's conversations, newest first.

    Every word of ``q`` must begin a word of the message, without case and accents; what is written
    without spaces is found by any part.
    """
    return await door.search.in_all(call.caller.user_id, query)


async def send(door: MessageDoor, call: Call, body: MessageDraft) -> MessageView:
    """Sends a message, for callers without a socket.

    With the same ``clientId`` it is the same message, however often it is sent. The answer is a
    promise: the message is on the disk.
    """
    return await door.messages.send(call.caller.user_id, call.path_id("conversation_id"), body)


async def receipts(door: MessageDoor, call: Call) -> ReceiptList:
    """How far every recipient of a message is."""
    named = MessageNamed(
        message_id=call.path_id("message_id"), conversation_id=call.path_id("conversation_id")
    )
    return ReceiptList(items=await door.changes.receipts(call.caller.user_id, named))


async def send_message(door: MessageDoor, client: Client, data: SendMessage) -> MessageSent:
    """Sends a message."""
    return MessageSent(
        message=await door.messages.send(client.principal.user_id, data.conversation_id, data)
    )


async def open_conversation(
    door: MessageDoor, client: Client, data: ConversationNamed
) -> ConversationRead:
    """Says that a conversation is on the screen: all of it is read."""
    before = client.open_conversation
    client.open_conversation = data.conversation_id
    try:
        read_seq = await door.receipts.read_all(
            client.principal.user_id, data.conversation_id, client.id
        )
    except BaseException:
        client.open_conversation = before
        raise
    return ConversationRead(conversation_id=data.conversation_id, read_seq=read_seq)


async def mark_read(door: MessageDoor, client: Client, data: MessageNamed) -> MessageNamedAnswer:
    """Says that one message alone is read."""
    user_id = client.principal.user_id
    message = await door.changes.find(user_id, data)
    await door.receipts.read_one(user_id, message, client.id)
    return MessageNamedAnswer(message_id=data.message_id)


async def edit_message(door: MessageDoor, client: Client, data: MessageEdit) -> MessageSent:
    """Gives an own text message other words."""
    return MessageSent(
        message=await door.changes.edit(client.principal.user_id, data, data.content)
    )


async def delete_message(
    door: MessageDoor, client: Client, data: MessageNamed
) -> MessageNamedAnswer:
    """Leaves only a tombstone of a message."""
    await door.changes.delete(client.principal.user_id, data)
    return MessageNamedAnswer(message_id=data.message_id)


async def add_reaction(door: MessageDoor, client: Client, data: ReactionWanted) -> ReactionAnswer:
    """Puts an emoji at a message, in place of the one before."""
    await door.changes.react(client.principal.user_id, data, data.emoji)
    return ReactionAnswer(message_id=data.message_id, emoji=data.emoji)


async def remove_reaction(
    door: MessageDoor, client: Client, data: MessageNamed
) -> MessageNamedAnswer:
    """Takes one's emoji away."""
    await door.changes.unreact(client.principal.user_id, data)
    return MessageNamedAnswer(message_id=data.message_id)


async def resume(door: MessageDoor, client: Client, data: ResumeWanted) -> ResumeAnswer:
    """Sends what a client missed, before it is answered."""
    known = known_revs(data.conversations)
    user_id = client.principal.user_id
    plan = await door.resume.plan(user_id, known)
    answer = {str(each): door.resume.up_to_date(rev) for each, rev in plan.current.items()}
    for missed in await door.resume.missed(user_id, plan.behind, known):
        for event in missed.events:
            await client.stream(event)
        answer[str(missed.conversation_id)] = missed.resumed
    return ResumeAnswer(conversations=answer, complete=plan.complete)


ROUTES = (
    Endpoint("GET", "/messages/search", search_all),
    Endpoint("GET", "/messages/{conversation_id}", history),
    Endpoint("POST", "/messages/{conversation_id}", send, 201),
    Endpoint("GET", "/messages/{conversation_id}/search", search),
    Endpoint("GET", "/messages/{conversation_id}/{message_id}/receipts", receipts),
)

COMMANDS = (
    Command("send_message", send_message),
    Command("open_conversation", open_conversation),
    Command("mark_read", mark_read),
    Command("edit_message", edit_message),
    Command("delete_message", delete_message),
    Command("add_reaction", add_reaction),
    Command("remove_reaction", remove_reaction),
    Command("resume", resume),
)
