"""Files on their way: up, into a message, to the others' screens, and away with the message."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from chatme_tests.client import PASSWORD, Json, Refused, User, signed_up
from chatme_tests.cloud import KEY, NAME, SECRET, Cloud
from chatme_tests.flows.files import fetch, kept, picture, sweep_later, upload
from chatme_tests.flows.life_talk import direct, history, say, settle, sound_server, verdict, view
from chatme_tests.server import Server
from chatme_tests.uploads.sounds import OPUS, ogg

OGG = ogg(OPUS, 48000 * 3)
HALF = (
    b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"x" * 1_000_000
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits."""
    with sound_server(tmp_path_factory.mktemp("uploads")) as running:
        yield running


async def test_a_picture_is_sent_seen_and_deleted(server: Server) -> None:
    """The other side gets its address and its size at once, anybody with the address gets the
    bytes, and the moment the deletion is acked they are gone."""
    async with signed_up(server.url, "Ada Paints", "Bob Looks") as (ada, bob):
        talk = await direct(ada, bob)
        there, here = await bob.connect(), await ada.connect()
        made = await picture(ada)
        draft = {
            "conversationId": talk,
            "type": "image",
            "content": "Tea?",
            "attachment": {"publicId": made["publicId"]},
            "clientId": "p-1",
        }
        sent = (await here.call("send_message", draft))["message"]
        again = (await here.call("send_message", draft))["message"]
        told = await there.wait_for("new_message", id=sent["id"])
        noted = await there.wait_for("notification", type="new_message")
        shown = await fetch(server, told["attachment"]["url"])
        small = await fetch(server, told["attachment"]["thumbnailUrl"])
        listed = (await view(bob, talk))["lastMessage"]
        await here.call("delete_message", {"messageId": sent["id"]})
        gone = [await fetch(server, made[name]) for name in ("url", "thumbnailUrl")]
        (tombstone,) = await history(bob, talk)
        unknown = await ada.http.post(
            f"/messages/{talk}", json={"type": "image", "content": made["url"]}
        )
        await settle(there)

    assert set(made) == {
        *("url", "publicId", "width", "height", "format", "size", "thumbnailUrl"),
    }
    assert (made["width"], made["height"], made["format"]) == (64, 48, "png")
    assert sent["attachment"] == {
        "url": made["url"],
        "publicId": made["publicId"],
        "name": "tea.png",
        "size": made["size"],
        "mimeType": "image/png",
        "width": 64,
        "height": 48,
        "duration": None,
        "thumbnailUrl": made["thumbnailUrl"],
    }
    assert (again["id"], len(there.of("new_message"))) == (sent["id"], 1)
    assert told["attachment"] == listed["attachment"] == sent["attachment"]
    assert noted["payload"]["preview"] == "Sent an image"
    assert (shown.status_code, len(shown.content)) == (200, made["size"])
    assert small.headers["content-type"] == "image/webp"
    assert [each.status_code for each in gone] == [404, 404]
    assert (tombstone["isDeleted"], tombstone["attachment"]) == (True, None)
    assert verdict(unknown) == (422, "validation_failed")


async def test_files_and_sound_are_sent_over_rest(server: Server) -> None:
    """By their id or by their address as content, with what the server knows of them."""
    async with signed_up(server.url, "Ada Sends", "Bob Reads") as (ada, bob):
        talk = await direct(ada, bob)
        file = await upload(ada, "file", b"%PDF-1.7 tea", "tea list.pdf")
        sound = await upload(ada, "file", OGG, "song")
        named = {"publicId": file["publicId"]}
        sent = [
            await say(ada, talk, "The list", type="file", attachment=named),
            await say(ada, talk, sound["url"], type="audio"),
        ]
        shown = await history(bob, talk)
        previews = [
            each["payload"]["preview"] for each in (await bob.get("/notifications"))["items"]
        ]

    assert set(file) == {"url", "publicId", "originalName", "size", "format"}
    assert (file["originalName"], file["size"], file["format"]) == ("tea list.pdf", 12, "pdf")
    assert [each["attachment"]["mimeType"] for each in sent] == ["application/pdf", "audio/ogg"]
    assert [each["attachment"]["name"] for each in sent] == ["tea list.pdf", "song"]
    assert [each["attachment"]["duration"] for each in sent] == [None, 2.994]
    assert [each["content"] for each in sent] == ["The list", ""]
    assert [each["attachment"] for each in shown] == [each["attachment"] for each in sent[::-1]]
    assert previews == ["Sent an audio message", "Sent a file"]


async def test_only_ones_own_fitting_upload_can_be_sent(server: Server) -> None:
    """Over both doors each misfit is a 422 that names the attachment, and nothing is sent."""
    async with signed_up(server.url, "Ada Owns", "Bob Borrows") as (ada, bob):
        talk = await direct(ada, bob)
        mine, file = await picture(bob), await upload(bob, "file", b"tea", "tea.txt")
        theirs = await picture(ada)
        drafts: list[Json] = [
            {"type": "image", "attachment": {"publicId": theirs["publicId"]}},
            {"type": "image", "content": theirs["url"]},
            {"type": "image", "attachment": {"publicId": "0" * 40}},
            {"type": "image", "attachment": {"publicId": file["publicId"]}},
            {"type": "audio", "attachment": {"publicId": file["publicId"]}},
            {"type": "image"},
            {"type": "text", "content": "Hi", "attachment": {"publicId": mine["publicId"]}},
        ]
        socket = await bob.connect()
        for draft in drafts:
            answer = await bob.http.post(f"/messages/{talk}", json=draft)
            assert verdict(answer) == (422, "validation_failed")
            assert [each["field"] for each in answer.json()["errors"]] == ["attachment"]
            with pytest.raises(Refused) as refused:
                await socket.call("send_message", {"conversationId": talk, **draft})
            assert [each["field"] for each in refused.value.error["errors"]] == ["attachment"]

        assert await history(ada, talk) == []


async def test_an_account_ends_with_its_files(tmp_path: Path) -> None:
    """The export lists what was uploaded; at the account's end what nobody was sent goes, and what
    a message shows stays with it."""
    with sound_server(tmp_path) as server:
        async with signed_up(server.url, "Ada Leaves", "Bob Keeps") as (ada, bob):
            talk = await direct(ada, bob)
            unsent, sent = await picture(ada), await picture(ada)
            named = {"publicId": sent["publicId"]}
            await say(ada, talk, "", type="image", attachment=named)
            me = await ada.http.patch(
                "/users/me/avatar", files={"avatar": (await fetch(server, sent["url"])).content}
            )
            export = await ada.get("/users/me/export")
            await ada.http.request("DELETE", "/users/me", json={"password": PASSWORD})
            (shown,) = await history(bob, talk)
            found = [
                (await fetch(server, url)).status_code
                for url in (unsent["url"], me.json()["avatar"], shown["attachment"]["url"])
            ]

    assert [each["publicId"] for each in export["uploads"]][:2] == [
        unsent["publicId"],
        sent["publicId"],
    ]
    assert len(export["uploads"]) == 3
    assert found == [404, 404, 200]
    assert (shown["sender"]["displayName"], shown["attachment"]["name"]) == (
        "Deleted user",
        "tea.png",
    )


async def test_a_file_that_was_cut_leaves_nothing(tmp_path: Path) -> None:
    """The server is killed while files arrive: what was answered is served by the next one, and
    of the rest a sweep leaves nothing."""
    data = tmp_path / "data"
    with Server(data, {"RATE_LIMIT_SHORT": "", "RATE_LIMIT_LONG": ""}) as server:
        async with signed_up(server.url, "Ada Breaks") as (ada,):
            whole = await upload(ada, "file", b"whole", "whole.txt")
            host, _, port = server.url.removeprefix("http://").partition(":")
            _, writer = await asyncio.open_connection(host, int(port))
            head = (
                f"POST /api/v1/upload/file HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9000000\r\n"
                f"Authorization: Bearer {ada.token}\r\n"
                "Content-Type: multipart/form-data; boundary=B\r\n\r\n"
            )
            writer.write(head.encode() + HALF)
            async with asyncio.timeout(20):
                while not _cut(data):  # noqa: ASYNC110 -- another process
                    await asyncio.sleep(0.01)
            sending = [asyncio.create_task(_try(ada)) for _ in range(8)]
            await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
            server.kill()
            answered = [each for each in await asyncio.gather(*sending) if each]
            writer.close()
        cut = _cut(data)
        server.start()
        served = [(await fetch(server, each["url"])).status_code for each in (whole, *answered)]
        server.stop()
        left = await sweep_later(data, days=2)

        assert cut
        assert served == [200] * (len(answered) + 1)
        assert (left, kept(data)) == (0, set())


def _cut(data: Path) -> list[str]:
    """The files that have begun to arrive."""
    return [each for each in kept(data) if each.startswith(".upload-")]


async def _try(user: User) -> Json | None:
    """Uploads a picture; nothing where the server dies meanwhile."""
    try:
        return await picture(user)
    except httpx.TransportError:
        return None


async def test_a_deleted_messages_file_goes_from_the_cloud(tmp_path: Path) -> None:
    """With Cloudinary the message shows its address, and the file is removed there."""
    with (
        Cloud() as cloud,
        sound_server(
            tmp_path,
            CLOUDINARY_CLOUD_NAME=NAME,
            CLOUDINARY_API_KEY=KEY,
            CLOUDINARY_API_SECRET=SECRET,
            CLOUDINARY_API_URL=cloud.url,
        ) as server,
    ):
        async with signed_up(server.url, "Ada Clouds", "Bob Clouds") as (ada, bob):
            talk = await direct(ada, bob)
            made = await picture(ada)
            there = len(cloud.files)
            named = {"publicId": made["publicId"]}
            sent = await say(ada, talk, "", type="image", attachment=named)
            socket = await ada.connect()
            await socket.call("delete_message", {"messageId": sent["id"]})

        assert sent["attachment"]["url"].startswith("https://res.cloudinary.com/")
        assert (there, len(cloud.files)) == (2, 0)
