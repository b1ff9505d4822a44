"""Other sites' pages in Ann's browser: her headers are on every request, and it is not her."""

import json

from tests.security.attack import Effect, Table, thumb
from tests.security.attacked_app import AttackedApp, RatedAnswer, person
from tests.support.rating import ANN

attack = Table()
EVIL = "https://evil.example"
CHAT = "https://chat.example.com"
FORMS = {
    "application/x-www-form-urlencoded": "trace_id={}&value=false",
    "multipart/form-data; boundary=b": '--b\r\nContent-Disposition: form-data; name="value"\r\n\r\n'
    "false\r\n--b--\r\n{}",
    # What a form makes of a field whose name is half of the JSON and whose value is the rest.
    "text/plain": '{{"value": false, "trace_id": "{}", "x": "="}}',
}


@attack("cross-site form post", "403; without a browser's headers 415")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """A form of another site posts all three kinds of bodies, new browsers' and old ones'."""
    origins = (
        {"Sec-Fetch-Site": "cross-site", "Origin": EVIL},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://other.example.com"},
        {"Origin": EVIL},
        {"Origin": "null"},
    )
    for kind, form in FORMS.items():
        content = form.format(target.trace_id)
        headers = {**dict(person(ANN)), "Content-Type": kind}
        for origin in origins:
            answer = app.send("POST", headers=headers | origin, content=content)
            assert answer.status_code == 403
        assert app.send("POST", headers=headers, content=content).status_code == 415


@attack("cross-site fetch", "403, and no CORS answer")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """A script of another site, or of another app on the same domain, sends every kind of write."""
    for site, origin in (("cross-site", EVIL), ("same-site", "https://other.example.com")):
        browser = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors", "Origin": origin}
        headers = {**dict(person(ANN)), **browser, "Content-Type": "application/json"}
        body = json.dumps({"trace_id": target.trace_id, "value": False, "accuracy": 1})
        for method, path in (
            ("POST", ""),
            ("POST", "/detailed"),
            ("PATCH", f"/{target.anns_id}"),
            ("DELETE", f"/{target.anns_id}"),
            ("DELETE", ""),
        ):
            params = {"trace_id": target.trace_id}
            answer = app.send(method, path, headers=headers, params=params, content=body)
            assert answer.status_code == 403, (method, path)
            assert "access-control-allow-origin" not in answer.headers
        asked = {**browser, "Access-Control-Request-Method": "POST"}
        preflight = app.send("OPTIONS", headers=asked)
        assert preflight.status_code == 405
        assert "access-control-allow-origin" not in preflight.headers


@attack("a site that looks like an allowed one", "403, and no CORS answer", allowed_origins=(CHAT,))
def _(app: AttackedApp, target: RatedAnswer) -> Effect:
    """Other schemes, ports, subdomains and suffixes of an allowed site; then the site itself."""
    for origin in (
        "http://chat.example.com",
        f"{CHAT}:8443",
        "https://x.chat.example.com",
        f"{CHAT}.evil.example",
        f"{EVIL}#{CHAT}",
        f"{CHAT}@evil.example",
        "null",
        "",
    ):
        headers = [*person(ANN), ("Origin", origin), ("Sec-Fetch-Site", "cross-site")]
        answer = app.send(
            "POST", headers=headers, json={"trace_id": target.trace_id, "value": False}
        )
        assert answer.status_code == 403, origin
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["vary"] == "Origin"
    headers = [*person(ANN), ("Origin", CHAT), ("Sec-Fetch-Site", "cross-site")]
    assert app.rate(headers, target.trace_id) == 200
    return Effect(changed={target.anns_id: thumb(target.trace_id, ANN, False)})


@attack("a link or an image that rates", "no route")
def _(app: AttackedApp, target: RatedAnswer) -> None:
    """GET and HEAD change nothing, and no header or parameter makes another method of them."""
    params = {"trace_id": target.trace_id, "value": "false", "_method": "DELETE"}
    override = [*person(ANN), ("X-HTTP-Method-Override", "DELETE")]
    assert app.send("GET", headers=override, params=params).status_code == 200
    assert app.send("HEAD", headers=override, params=params).status_code == 405
    path = f"/{target.anns_id}"
    assert app.send("GET", path, headers=override, params=params).status_code == 405
    assert app.send("POST", path, headers=override, params=params).status_code == 405
