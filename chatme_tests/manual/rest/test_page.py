"""The page of the REST document."""

from __future__ import annotations

from chatme.manual.rest.openapi import build
from chatme.manual.rest.page import SCHEMES, render
from chatme.manual.rest.words import SECURITY
from chatme_tests.manual.reader import Reader, expect_sound
from chatme_tests.manual.rest.toy import API

DOCUMENT = build(API)


def test_the_page_is_sound() -> None:
    """Each link leads somewhere, and nothing on the page runs."""
    expect_sound(render(DOCUMENT), {"docs/style.css", "openapi.json", "docs/realtime"})


def test_everything_of_the_document_is_on_the_page() -> None:
    """Operations, parameters, errors, headers, ways to sign in and shapes have their place."""
    page = Reader(render(DOCUMENT))
    components = DOCUMENT["components"]

    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            assert f"{method.upper()} {path}" in page.text
            assert operation["operationId"] in page.ids
            assert operation["summary"].replace("`", "") in page.text
    assert {f"shape-{name}" for name in components["schemas"]} <= set(page.ids)
    for code in components["schemas"]["ErrorCode"]["enum"]:
        assert f"error-{code}" in page.ids
    for name in (*components["headers"], *components["securitySchemes"]):
        assert name in page.text
    assert "1 to 9." in page.text


def test_the_contents_break_paths_between_their_parts() -> None:
    """In a narrow column a path is broken in front of a slash, never within a name."""
    listed = "<code>POST /users<wbr>/{userId}<wbr>/things</code></a>"

    assert listed in render(DOCUMENT).split("</nav>")[0]


def test_an_operation_names_its_own_errors() -> None:
    """What nearly every route may answer is said once; what only this one does stands with it."""
    page = render(DOCUMENT)
    article = page.split('<article id="postUsersOneThings">')[1].split("</article>")[0]

    assert "#error-blocked" in article
    assert "#error-internal_error" not in article
    assert "Nearly every route may answer with" in page


def test_who_may_call_is_said_in_words() -> None:
    """Each way to sign in has words of its own."""
    text = Reader(render(DOCUMENT)).text

    assert set(SCHEMES) == set(SECURITY)
    assert "For callers signed in or with the refresh cookie." in text
    assert "For callers with the metrics token. Some need none." in text
    assert "For everybody." in text


def test_what_the_document_says_is_only_text() -> None:
    """Words of the document cannot become HTML."""
    evil = {**DOCUMENT, "info": {**DOCUMENT["info"], "title": "<b>&", "description": "`<i>` <i>"}}
    page = render(evil)

    assert "<b>" not in page
    assert "<i>" not in page
    assert "&lt;b&gt;&amp;" in page
