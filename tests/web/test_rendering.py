"""What the pages say, what they escape, and the headers they carry."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Response
from lxml import html

from lti_bridge.core.launch.handoff import Form, Frame, InfoPage, NewWindowPage, Redirect, Storage
from lti_bridge.errors import BadRequest, BridgeError, PageExpired, PlaceUnclear
from lti_bridge.web import rendering
from lti_bridge.web.rendering import Pages
from lti_bridge.web.responses import NOBODY
from lti_bridge.web.views import InstructorView, PeopleView, PersonLine, PreviewForm

NASTY = "\"><script>alert(1)</script>'<img src=x onerror=alert(2)>"
TOOL = "https://tool.example.org/launch?x=1&y=2"
BACK = "https://lms.example.edu/return?course=7#top"
PEOPLE = PeopleView(
    activity_title="A test",
    course_title="A course",
    lines=(
        PersonLine("<img onerror=x>", "overridden", "5 of 10", "7/10"),
        PersonLine("Ann Example", "not started", active=False),
    ),
    counts=(("not started", 1), ("overridden", 1)),
    again=PreviewForm("https://bridge.example.edu/course/people", (("token", "t"),)),
    notice="Look again.",
    back_url="https://lms.example.edu/back",
)
VIEW = InstructorView("Excel", "excel-2019", "tosa", "isograd")


def text(response: Response) -> str:
    return response.get_data(as_text=True)


def tree(response: Response) -> html.HtmlElement:
    return html.document_fromstring(text(response))


def policy(response: Response) -> dict[str, str]:
    parts = response.headers["Content-Security-Policy"].split("; ")
    return dict(part.split(" ", 1) for part in parts)


def every_page(pages: Pages, say: str = "Hello") -> dict[str, Response]:
    error = PageExpired(say)
    view = InstructorView(
        *[say] * 7,
        settings=((say, say),),
        custom=((say, say, True),),
        warnings=(say,),
        preview=PreviewForm("https://bridge.example.edu/preview", ((say, say),)),
        back_url=BACK,
        attempts_summary=((say, 3),),
    )
    return {
        "form": pages.handoff(Form(TOOL, ((say, say),)), lang=say),
        "redirect": pages.handoff(Redirect("https://tool.example.org/?" + say)),
        "note": pages.handoff(InfoPage(say, (say,), ((say, say),), TOOL + "#" + say, say)),
        "error": pages.error(error, reference=say, back_url="https://lms.example.edu/?" + say),
        "returned": pages.returned(
            title=say, message=say, back_url=BACK, lti_msg=say, lti_errormsg=say
        ),
        "instructor": pages.instructor(view),
        "front": pages.front(),
    }


def test_every_page_is_kept_from_caches_and_other_sites(pages: Pages) -> None:
    for name, response in every_page(pages).items():
        assert response.headers["Cache-Control"] == "no-store", name
        assert response.headers["Pragma"] == "no-cache", name
        assert response.headers["X-Content-Type-Options"] == "nosniff", name
        assert response.headers["Content-Type"] == "text/html; charset=utf-8", name
        expected = "same-origin" if name == "instructor" else "no-referrer"
        assert response.headers["Referrer-Policy"] == expected, name
        allowed = policy(response)
        assert allowed["default-src"] == "'none'", name
        assert allowed["base-uri"] == "'none'", name
        assert allowed["style-src"] == "'self'", name
        assert ("script-src" in allowed) == (name == "form"), name
        assert "X-Frame-Options" not in response.headers, name


def test_every_page_can_be_read_by_everyone(pages: Pages) -> None:
    for name, response in every_page(pages).items():
        page = tree(response)
        assert page.get("lang"), name
        assert len(page.xpath("//h1")) == 1, name
        assert len(page.xpath("//main")) == 1, name
        assert page.findtext(".//title"), name
        assert not page.xpath("//@style | //style"), name
        for section in page.xpath("//section"):
            assert page.get_element_by_id(section.get("aria-labelledby")).tag == "h2", name


@pytest.mark.spec("SECP-08")
def test_foreign_text_stays_text(pages: Pages) -> None:
    for name, response in every_page(pages, NASTY).items():
        page = tree(response)
        assert not page.xpath("//img"), name
        assert not page.xpath("//@onerror"), name
        assert len(page.xpath("//script")) == (name == "form"), name
        assert "<script>" not in text(response), name
        if name != "front":
            assert "&lt;script&gt;" in text(response), name


@pytest.mark.spec("SECP-08")
def test_what_a_login_says_is_text_on_the_page_for_a_window(pages: Pages) -> None:
    form = Form("https://bridge.example.edu/lti", ((NASTY, NASTY),))
    storage = Storage(*[NASTY] * 5, form=form)
    response = pages.new_window(NewWindowPage(form, storage), back_url=BACK)
    page = tree(response)
    assert not page.xpath("//img | //@onerror")
    (script,) = page.xpath("//script")
    assert {script.get(f"data-{name}") for name in ("frame", "key", "value", "onward")} == {NASTY}
    assert page.xpath("//form/@target") == ["_blank", "_blank"]  # and once for no scripts
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.spec("SECP-08")
@pytest.mark.parametrize("frame", [None, Frame(("https://tool.example.org",))])
def test_the_same_again_in_a_window_takes_all_of_its_fields(
    pages: Pages, frame: Frame | None
) -> None:
    again = Form("https://bridge.example.edu/course", (("token", NASTY), ("do", "tool")))
    response = pages.handoff(Form(TOOL, (), frame=frame), to="tool", elsewhere=again)
    page = tree(response)
    assert not page.xpath("//img | //@onerror")
    away = page.get_element_by_id("elsewhere")
    assert (away.get("action"), away.get("target")) == (again.action, "_blank")
    sent = [(one.get("name"), one.get("value")) for one in away.xpath(".//input")]
    assert tuple(sent) == again.fields
    # to go on from the beginning, in the frame
    (waiting,) = page.get_element_by_id("opened").xpath(".//form")
    assert [one.get("name") for one in waiting.xpath(".//input")] == ["token"]


@pytest.mark.spec("SECP-08")
@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "/path", "https://a.example.org/\r\nX: y"]
)
def test_only_web_addresses_become_links(pages: Pages, url: str) -> None:
    for handoff in (Form(url, ()), Redirect(url), InfoPage("Title", link=url)):
        with pytest.raises(BadRequest):
            pages.handoff(handoff)
    with pytest.raises(BadRequest):  # which has a path of the bridge's own
        pages.instructor(replace(VIEW, preview=PreviewForm(url.replace("/path", "//path"))))
    for response in (
        pages.error(PageExpired(), reference="r", back_url=url),
        pages.returned(title="Title", message="Message", back_url=url),
        pages.instructor(replace(VIEW, back_url=url)),
    ):
        assert not tree(response).xpath("//a")
        assert url not in text(response)


def test_links_to_other_sites_tell_them_nothing(pages: Pages) -> None:
    for name, response in every_page(pages).items():
        for link in tree(response).xpath("//a[starts-with(@href, 'http')]"):
            assert link.get("rel") == "noopener noreferrer", name


def test_a_form_keeps_every_field_in_order(pages: Pages) -> None:
    fields = (("b", "2"), ("a", ""), ("b", "1 & <2>"), ("ü", '"'), ("submit", "x"))
    form = tree(pages.handoff(Form(TOOL, fields))).forms[0]
    assert form.action == TOOL
    assert form.method == "POST"
    assert [(i.name, i.value) for i in form.xpath(".//input[@type='hidden']")] == list(fields)
    assert form.xpath(".//button[not(@name)]")


def test_the_script_of_a_form_runs_by_a_fresh_nonce(pages: Pages) -> None:
    responses = [pages.handoff(Form(TOOL, ())) for _ in range(2)]
    nonces = [tree(response).xpath("//script/@nonce")[0] for response in responses]
    assert nonces[0] != nonces[1]
    for response, nonce in zip(responses, nonces, strict=True):
        assert len(nonce) >= 22
        assert policy(response)["script-src"] == f"'nonce-{nonce}'"


def test_the_words_beside_a_form_say_where_it_leads(pages: Pages) -> None:
    assert "Open your test" in text(pages.handoff(Form(TOOL, ())))
    back = text(pages.handoff(Form(TOOL, ()), to="course", lang="de"))
    assert "Go to your course" in back
    assert "test" not in tree(pages.handoff(Form(TOOL, ()), to="course")).findtext(".//h1")
    assert '<html lang="de">' in back


@pytest.mark.parametrize(
    ("onward", "expected"),
    [
        (None, "https: http:"),
        ((), "https://tool.example.org"),
        (("https://app.example.org/x",), "https://tool.example.org https://app.example.org"),
    ],
)
def test_where_a_form_may_lead(pages: Pages, onward: tuple[str, ...] | None, expected: str) -> None:
    response = pages.handoff(Form(TOOL, ()), onward=onward)
    assert policy(response)["form-action"] == expected


def test_pages_without_a_form_may_send_none(pages: Pages) -> None:
    for name in ("redirect", "note", "error", "returned", "front"):
        assert policy(every_page(pages)[name])["form-action"] == "'none'", name


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((), None),
        (("https://lms.example.edu/x", "https://b.example.edu"),
         "'self' https://lms.example.edu https://b.example.edu"),
        (NOBODY, "'none'"),
    ],
)  # fmt: skip
def test_who_may_frame_a_page(pages: Pages, given: tuple[str, ...], expected: str | None) -> None:
    for response in (
        pages.handoff(Form(TOOL, ()), frame_ancestors=given),
        pages.handoff(Redirect(TOOL), frame_ancestors=given),
        pages.handoff(InfoPage("Title"), frame_ancestors=given),
        pages.error(PageExpired(), reference="r", frame_ancestors=given),
        pages.returned(title="Title", message="Message", frame_ancestors=given),
        pages.instructor(VIEW, frame_ancestors=given),
        pages.people(PEOPLE, frame_ancestors=given),
    ):
        assert policy(response).get("frame-ancestors") == expected
    assert policy(pages.front())["frame-ancestors"] == "'none'"


@pytest.mark.spec("SECP-08")
def test_learners_names_are_text(pages: Pages) -> None:
    response = pages.people(PEOPLE)
    shown = response.get_data(as_text=True)
    assert "<img" not in shown
    assert "&lt;img onerror=x&gt;" in shown
    assert "<td>overridden</td><td>5 of 10</td><td>7/10<br><small>This grade was entered" in shown
    assert "(no longer active)" in shown
    assert response.headers["Cache-Control"] == "no-store"
    assert policy(response)["form-action"] == "https://bridge.example.edu"


@pytest.mark.parametrize("field", [("a\0", "b"), ("a", "b\0"), ("a", "\ud800")])
def test_a_field_that_no_browser_can_submit_is_refused(
    pages: Pages, field: tuple[str, str]
) -> None:
    with pytest.raises(BadRequest):
        pages.handoff(Form(TOOL, (field,)))


def test_a_redirect_has_a_link_for_those_who_stay(pages: Pages) -> None:
    url = "https://tool.example.org/t?sig=a%2Bb%2f+c&n=1#part"
    response = pages.handoff(Redirect(url))
    assert response.status_code == 302
    assert dict(response.get_wsgi_headers({}))["Location"] == url
    assert tree(response).xpath("//a/@href") == [url]


def test_a_note_shows_what_to_copy(pages: Pages) -> None:
    note = InfoPage(
        "Your test ID", ("First.", "Second."), (("Test ID", "A-1"),), TOOL, "Go to iTEP"
    )
    page = tree(pages.handoff(note))
    assert [p.text for p in page.xpath("//main/p[not(@class)]")][:2] == ["First.", "Second."]
    assert page.xpath("//dd[@class='copy']/text()") == ["A-1"]
    assert page.xpath("//a[@class='button']/text()") == ["Go to iTEP"]
    assert not tree(pages.handoff(InfoPage("Title"))).xpath("//a | //dl")


def test_a_note_leads_back_to_the_course(pages: Pages) -> None:
    for link, look in (("", "button"), (TOOL, "way-back")):
        page = tree(pages.handoff(InfoPage("Title", link=link), back_url=BACK))
        (back,) = page.xpath("//a[text()='Back to your course']")
        assert (back.get("href"), back.get("class")) == (BACK, look)
    odd = pages.handoff(InfoPage("Title"), back_url="javascript:alert(1)")
    assert not tree(odd).xpath("//a")


@pytest.mark.spec("T13RL-19")
def test_an_error_says_what_to_do_and_leads_back(pages: Pages) -> None:
    error = PlaceUnclear("learner ada@example.org used 3 of 3")
    response = pages.error(error, reference="R-17", back_url=BACK)
    page = tree(response)
    assert response.status_code == 409
    assert page.findtext(".//h1") == error.sentence
    assert error.remedy in text(response)
    assert page.xpath("//dd/text()") == ["R-17", "place-unclear"]
    assert "ada@example.org" not in text(response)
    back = urlsplit(page.xpath("//a/@href")[0])
    assert (back.netloc, back.path, back.fragment) == ("lms.example.edu", "/return", "top")
    assert parse_qsl(back.query) == [
        ("course", "7"),
        ("lti_errormsg", error.sentence),
        ("lti_errorlog", "place-unclear R-17"),
    ]


def test_an_error_for_a_script_is_json(pages: Pages) -> None:
    response = pages.error(BridgeError("the secret detail"), reference="R-17", as_json=True)
    assert response.status_code == 500
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert json.loads(text(response)) == {
        "error": "internal",
        "message": BridgeError.sentence,
        "remedy": BridgeError.remedy,
        "reference": "R-17",
    }


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ({}, {}),
        ({"lti_msg": "Well done"}, {}),
        ({"lti_errormsg": "Time is over"}, {"lti_errormsg": "Time is over"}),
    ],
)
def test_the_way_back_from_a_provider(
    pages: Pages, said: dict[str, str], sent: dict[str, str]
) -> None:
    response = pages.returned(title="Handed in", message="It is graded.", back_url=BACK, **said)
    page = tree(response)
    assert page.findtext(".//h1") == "Handed in"
    assert "You may also close this window." in text(response)
    for message in said.values():
        assert f">{message}</p>" in text(response)
    query = dict(parse_qsl(urlsplit(page.xpath("//a/@href")[0]).query))
    assert query == {"course": "7"} | sent


def test_long_messages_of_a_provider_are_cut(pages: Pages) -> None:
    response = pages.returned(title="Title", message="Message", lti_msg="x" * 9000)
    assert re.search(r">x{254}…<", text(response))


def test_an_instructor_sees_what_students_get(pages: Pages) -> None:
    fields = (("csrf", "t"), ("activity", "excel-2019"))
    view = replace(
        VIEW,
        grade_policy="best",
        settings=(("Form", "363"),),
        custom=(("a", "$Foo.bar", True), ("b", "7", False)),
        warnings=("Low on credits.",),
        preview=PreviewForm("https://bridge.example.edu/preview", fields),
        attempts_summary=(("Open", 2),),
    )
    response = pages.instructor(view)
    page = tree(response)
    pairs = [[dt.text_content(), dt.getnext().text_content().strip()] for dt in page.iter("dt")]
    assert ["Open", "2"] in pairs
    assert ["Which attempt counts", "best"] in pairs
    assert ["Form", "363"] in pairs
    assert ["b", "7"] in pairs
    unresolved = page.xpath("//div[@class='unresolved']")
    assert len(unresolved) == 1
    assert (
        "$Foo.bar is not known to this LMS or to the bridge; it is sent as it stands."
        in unresolved[0].text_content()
    )
    form = page.forms[0]
    assert form.form_values() == list(fields)
    assert form.findtext("button") == "Open the test as a preview"
    assert "never graded" in text(response)
    assert "credit" in text(response)
    assert "Low on credits." in text(response)


def test_without_a_preview_an_instructor_has_no_form(pages: Pages) -> None:
    response = pages.instructor(VIEW)
    assert not tree(response).forms
    assert policy(response)["form-action"] == "'none'"


def test_a_bridge_below_a_path_finds_its_files() -> None:
    page = tree(Pages("/bridge").front())
    assert all(href.startswith("/bridge/") for href in page.xpath("//link/@href | //a/@href"))


def test_every_page_compiles_and_only_what_is_shown_is_compiled() -> None:
    names = {path.stem for path in Path(rendering.__file__).parent.glob("templates/*.html")}
    pages = rendering._templates("/of-its-own")
    assert pages == {}
    assert {name for name in names if pages[name].name == f"{name}.html"} == names == set(pages)
