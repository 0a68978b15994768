"""Pictures of people and groups: who gives them, who sees them, and what is left of old ones."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

import httpx
import pytest
from PIL import Image

from chatme_tests.client import User, signed_up
from chatme_tests.flows.files import fetch, kept, picture, upload
from chatme_tests.flows.life_talk import direct, group, settle, sound_server, verdict, view
from chatme_tests.images.gallery import SECRET, moving, photo, quarters, written
from chatme_tests.server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without limits."""
    with sound_server(tmp_path_factory.mktemp("avatars")) as running:
        yield running


async def _wear(user: User, content: bytes, field: str = "avatar") -> httpx.Response:
    return await user.http.patch("/users/me/avatar", files={field: ("me.png", content)})


async def test_a_picture_of_oneself_is_shown_to_others(server: Server) -> None:
    """It is made anew at 512 pixels at most, everybody sees it, and the one before is gone."""
    async with signed_up(server.url, "Ada Shown", "Bob Sees") as (ada, bob):
        talk = await direct(ada, bob)
        before = kept(server.data)
        first = (await _wear(ada, photo("JPEG", orientation=6))).json()
        second = (await _wear(ada, written(quarters(1200, 600), "PNG"))).json()
        seen = (await bob.get(f"/users/{ada.id}"))["avatar"]
        members = {m["user"]["id"]: m["user"]["avatar"] for m in (await view(bob, talk))["members"]}
        shown, old = await fetch(server, second["avatar"]), await fetch(server, first["avatar"])
        off = await ada.http.delete("/users/me/avatar")
        again = await ada.http.delete("/users/me/avatar")
        gone = await fetch(server, second["avatar"])

        assert first["avatar"] != second["avatar"]
        assert second == {**await ada.get("/auth/me"), "avatar": second["avatar"]}
        assert seen == members[ada.id] == second["avatar"]
        assert Image.open(BytesIO(shown.content)).size == (512, 256)
        assert (shown.headers["content-type"], SECRET in shown.content) == ("image/webp", False)
        assert [each.json()["avatar"] for each in (off, again)] == [None, None]
        assert (old.status_code, gone.status_code) == (404, 404)
        assert kept(server.data) == before


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (moving("GIF"), (415, "unsupported_media_type")),
        (b"<svg/>", (415, "unsupported_media_type")),
        (b"\xff\xd8\xff", (415, "unsupported_media_type")),
        (b"x" * (5 * 1024 * 1024 + 1), (413, "payload_too_large")),
        (b"", (422, "validation_failed")),
    ],
    ids=["moving", "svg", "broken", "large", "empty"],
)
async def test_what_is_no_picture_of_oneself(
    server: Server, content: bytes, wanted: tuple[int, str]
) -> None:
    """It is refused, and the picture before stays."""
    async with signed_up(server.url, f"Ada {wanted[1]} {len(content)}") as (ada,):
        worn = (await _wear(ada, photo("WEBP"))).json()["avatar"]
        before = kept(server.data)
        refused = await _wear(ada, content)
        other = await _wear(ada, photo("PNG"), field="file")

        assert verdict(refused) == wanted
        assert verdict(other) == (422, "validation_failed")
        assert [each["field"] for each in other.json()["errors"]] == ["avatar"]
        assert (await ada.get("/auth/me"))["avatar"] == worn
        assert (await fetch(server, worn)).status_code == 200
        assert kept(server.data) == before


async def test_a_groups_picture_is_told_to_its_members(server: Server) -> None:
    """An admin's upload becomes it, members hear of it, and the old one's file goes."""
    async with signed_up(server.url, "Ada Groups", "Bob Groups") as (ada, bob):
        tea = await group(ada, bob)
        there = await bob.connect()
        first, second = await picture(ada), await picture(ada)
        answers = [
            await ada.http.patch(f"/conversations/{tea}", json=body)
            for body in (
                {"avatar": first["publicId"]},
                {"avatar": second["url"], "name": "Coffee"},
                {"name": "Milk"},
                {"avatar": None},
            )
        ]
        await settle(there)
        told = there.of("conversation_updated")
        files = [(await fetch(server, each["url"])).status_code for each in (first, second)]

    wanted = [("Tea", first["url"]), ("Coffee", second["url"]), ("Milk", second["url"])]
    assert [verdict(each) for each in answers] == [(200, "")] * 4
    assert [(each["name"], each["avatar"]) for each in told] == [*wanted, ("Milk", None)]
    assert [each.json()["avatar"] for each in answers] == [each["avatar"] for each in told]
    assert files == [404, 404]


async def test_not_everything_becomes_a_groups_picture(server: Server) -> None:
    """Files, other people's pictures and nonsense are 422s that name the field, members may not,
    strangers see nothing, and direct conversations have none."""
    async with signed_up(server.url, "Ada Rules", "Bob Member", "Eve Away") as (ada, bob, eve):
        tea, talk = await group(ada, bob), await direct(ada, bob)
        file = await upload(ada, "file", b"tea", "tea.txt")
        mine, theirs, foreign = await picture(ada), await picture(bob), await picture(eve)
        for name in (file["publicId"], theirs["url"], "x", "", 7, "/uploads/x", "a\0b"):
            answer = await ada.http.patch(f"/conversations/{tea}", json={"avatar": name})
            assert verdict(answer) == (422, "validation_failed")
            assert [each["field"] for each in answer.json()["errors"]] == ["avatar"]
        for user, place, named, wanted in (
            (bob, tea, theirs, (403, "forbidden")),
            (eve, tea, foreign, (404, "not_found")),
            (ada, talk, mine, (403, "forbidden")),
        ):
            body = {"avatar": named["publicId"]}
            assert verdict(await user.http.patch(f"/conversations/{place}", json=body)) == wanted

        assert (await view(ada, tea))["avatar"] is None
