"""What happens when everything happens at once."""

from __future__ import annotations

import asyncio

from chatme_tests.client import PASSWORD, signed_up
from chatme_tests.judging import rest_client
from chatme_tests.server import Server


async def test_one_address_is_registered_once(server: Server) -> None:
    """Of twenty that register one address at once, one gets it; the others are told."""
    async with rest_client(base_url=f"{server.url}/api/v1") as http:
        answers = await asyncio.gather(
            *(
                http.post(
                    "/auth/register",
                    json={
                        "displayName": f"Racer {at}",
                        "email": "  Race@Example.COM " if at % 2 else "race@example.com",
                        "password": PASSWORD,
                    },
                )
                for at in range(20)
            )
        )

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    losers = [answer.json()["code"] for answer in answers if answer.status_code == 409]
    assert {"email_taken"} == set(losers)


async def test_one_direct_conversation_for_a_pair(server: Server) -> None:
    """Of twenty that open the same direct conversation at once, from both sides, one makes it."""
    async with signed_up(server.url, "Ada Pair", "Bob Pair") as (ada, bob):
        answers = await asyncio.gather(
            *(
                one.http.post("/conversations/direct", json={"userId": other.id})
                for one, other in [(ada, bob), (bob, ada)] * 10
            )
        )

        assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len((await ada.get("/conversations"))["items"]) == 1


async def test_a_hundred_sends_from_ten_sockets(server: Server) -> None:
    """Numbers go up without a hole, and every member sees the same order on every socket."""
    async with signed_up(server.url, *(f"Sender {at}" for at in range(10))) as users:
        group = await users[0].post(
            "/conversations/group", {"name": "Ten", "memberIds": [each.id for each in users[1:]]}
        )
        sockets = [await user.connect() for user in users]
        await asyncio.gather(
            *(
                socket.call("send_message", {"conversationId": group["id"], "content": f"{at}"})
                for at in range(10)
                for socket in sockets
            )
        )
        for socket in sockets:
            await socket.wait_for("new_message", seq=100)

        orders = [[each["seq"] for each in socket.of("new_message")] for socket in sockets]
        assert [list(range(1, 101))] * 10 == orders
        history = await users[3].get(f"/messages/{group['id']}", limit=100)
        assert list(range(100, 0, -1)) == [each["seq"] for each in history["items"]]
        contents = [[each["content"] for each in socket.of("new_message")] for socket in sockets]
        assert all(each == contents[0] for each in contents)


async def test_the_same_client_id_ten_times_at_once(server: Server) -> None:
    """Ten sends of one message at once are one message, one frame and ten equal acks."""
    async with signed_up(server.url, "Ada Ten", "Bob Ten") as (ada, bob):
        talk = await ada.post("/conversations/direct", {"userId": bob.id})
        sockets = [await ada.connect() for _ in range(10)]
        theirs = await bob.connect()
        draft = {"conversationId": talk["id"], "content": "only one", "clientId": "same"}
        acks = await asyncio.gather(*(each.call("send_message", draft) for each in sockets))
        last = await ada.post(f"/messages/{talk['id']}", {"content": "last"})
        await theirs.wait_for("new_message", id=last["id"])

        assert len({ack["message"]["id"] for ack in acks}) == 1
        assert [each["seq"] for each in theirs.of("new_message")] == [1, 2]
