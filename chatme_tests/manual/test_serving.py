"""The manual over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from chatme.http.endpoint import bind
from chatme.http.middleware import SecurityHeaders
from chatme.manual.serving import ROUTES, Leaf, Manual
from chatme.principal import Principal
from chatme_tests.fakes import settings_of

PATHS = {
    "/openapi.json": "application/json",
    "/docs": "text/html; charset=utf-8",
    "/asyncapi.json": "application/json",
    "/docs/realtime": "text/html; charset=utf-8",
    "/docs/style.css": "text/css; charset=utf-8",
}


class _Nobody:
    """Lets nobody in: the manual is public."""

    async def authenticate(self, token: str) -> Principal:
        raise AssertionError(token)

    async def recheck(self, principal: Principal) -> None:
        raise AssertionError(principal)


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of the manual alone."""
    manual = Manual.of(settings_of(tmp_path), {"": ROUTES})
    app = Starlette(routes=bind([(ROUTES, manual)], _Nobody()))
    transport = httpx.ASGITransport(SecurityHeaders(app, production=False))
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.test") as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
async def test_the_manual_is_public(http: httpx.AsyncClient, path: str) -> None:
    """Whoever asks gets the page, of its type, under a policy that lets nothing else in."""
    response = await http.get(path)

    assert response.status_code == 200
    assert response.headers["content-type"] == PATHS[path]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers.get_list("content-security-policy") == [
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ]


@pytest.mark.parametrize("path", PATHS)
async def test_who_has_it_is_sent_nothing(http: httpx.AsyncClient, path: str) -> None:
    """A caller who names the tag of what they have gets a 304 without a body."""
    first = await http.get(path)
    tag = first.headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        again = await http.get(path, headers={"If-None-Match": known})

        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    other = await http.get(path, headers={"If-None-Match": '"other"'})

    assert other.content == first.content
    assert first.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", PATHS)
async def test_the_manual_is_only_read(http: httpx.AsyncClient, path: str) -> None:
    """Other methods than GET and HEAD are a 405 that names these two."""
    response = await http.post(path)

    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"


async def test_the_page_finds_its_style(http: httpx.AsyncClient) -> None:
    """The pages' links to what is beside them lead there, under whatever prefix."""
    rest, page = httpx.URL("http://chat.test/docs"), httpx.URL("http://chat.test/docs/realtime")

    assert 'href="docs/style.css"' in (await http.get(rest.path)).text
    assert (await http.get(rest.join("docs/style.css"))).status_code == 200
    assert (await http.get(rest.join("openapi.json"))).json()["openapi"] == "3.1.0"
    assert rest.join("docs/realtime") == page
    assert page.join("../docs") == rest

    assert 'href="style.css"' in (await http.get(page.path)).text
    assert (await http.get(page.join("style.css"))).headers["content-type"].startswith("text/css")
    assert (await http.get(page.join("../asyncapi.json"))).json()["asyncapi"] == "3.0.0"


def test_a_tag_is_of_the_bytes() -> None:
    """Equal bytes have equal tags, others have others."""
    one, same, other = (Leaf.of(body, "text/plain") for body in (b"a", b"a", b"b"))

    assert one.tag == same.tag != other.tag
    assert one.tag.startswith('"')
