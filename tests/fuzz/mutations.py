"""Spoils right calls, a little each time: from a seed and a number always the same event. Pure.

A case is a right call with none to three mutations of its body, path, query and headers, and is
then an event in one of the formats that API Gateway gives a request.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from copy import deepcopy
from random import Random
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from tests.fuzz.calls import ABOUT, INFERENCES, LENGTH, PREDICTIONS
from tests.fuzz.odd_values import (
    FRAGMENTS,
    HEADER_NAMES,
    HEADER_VALUES,
    KEYS,
    METHODS,
    NAMES,
    ODD,
    QUERY_PARTS,
    VALUES,
)

if TYPE_CHECKING:
    from tests.fuzz.calls import Call


_LENGTHS: Final = {str(number) for number in range(1000)}


class Fuzz:
    """The cases of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def event(self, number: int) -> dict[str, Any]:
        """The event of one case."""
        random = Random(f"{self.seed}/{number}")  # noqa: S311 - no secret
        kind = random.random()
        kinds = INFERENCES if kind < 0.7 else PREDICTIONS if kind < 0.88 else ABOUT
        call = random.choice(kinds).copy()
        for _ in range(random.choice((0, 1, 1, 1, 1, 2, 2, 3))):
            random.choices(_MUTATIONS, _WEIGHTS)[0](random, call)
        return _event(random, call)


def _change_json(random: Random, call: Call) -> None:
    """Change the JSON of a body as a structure, and, mostly, its stated length with it."""
    length = call.headers.get(LENGTH)
    at = int(length) if length and length in _LENGTHS else len(call.body)
    try:
        document = json.loads(call.body[:at])
    except (ValueError, RecursionError):
        return _change_bytes(random, call)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        document = _changed(random, document)
    text = json.dumps(document, ensure_ascii=random.random() < 0.9).encode("utf-8", "surrogatepass")
    call.body = text + call.body[at:]
    if length and random.random() < 0.9:
        call.headers[LENGTH] = str(len(text))
    return None


def _changed(random: Random, value: Any) -> Any:
    if random.random() < 0.75 and isinstance(value, dict | list) and value:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        key = random.choice(keys)
        value[key] = _changed(random, value[key])
        return value
    what = random.randrange(6)
    if isinstance(value, dict) and what < 4:
        if value and what < 2:
            del value[random.choice(list(value))]
        else:
            value[random.choice(KEYS)] = _odd_value(random)
        return value
    if isinstance(value, list) and what < 4:
        if not value or what == 0:
            value.append(_odd_value(random))
        elif what == 1:
            value.pop(random.randrange(len(value)))
        elif what == 2:
            value.append(deepcopy(random.choice(value)))
        else:
            random.shuffle(value)
        return value
    return _odd_value(random)


def _odd_value(random: Random) -> Any:
    return deepcopy(random.choice(VALUES))  # it may be changed in its place later on


def _change_bytes(random: Random, call: Call) -> None:
    body = bytearray(call.body)
    start = random.randrange(len(body) + 1)
    end = min(len(body), start + random.choice((1, 1, 2, 4, 16, 1000)))
    what = random.randrange(7)
    if what == 0:
        for at in range(start, min(end, start + 4)):
            body[at] ^= 1 << random.randrange(8)
    elif what == 1:
        del body[start:end]
    elif what == 2:
        body[start:start] = body[start:end] * random.choice((1, 2, 50))
    elif what == 3:
        body[start:start] = random.choice(FRAGMENTS)
    elif what == 4:
        body[start:end] = random.randbytes(end - start)
    elif what == 5:
        del body[start:]
    else:
        body += random.choice((b"\n", b"\x00", b"{}", b"\x00" * 16, random.choice(FRAGMENTS)))
    call.body = bytes(body)


def _change_body(random: Random, call: Call) -> None:
    """Make the body another altogether, or compress it: rightly or not."""
    what = random.randrange(9)
    if what == 0:
        call.body = b""
    elif what == 1:
        call.body = random.choice(FRAGMENTS) * random.choice((1, 1, 3))
    elif what == 2:
        call.body = json.dumps(random.choice(VALUES)).encode()
    elif what == 3:
        call.body = call.body.decode("latin-1").encode("utf-16")
    elif what == 4:
        call.body = random.choice(INFERENCES).body
    elif what == 5:
        call.body *= random.choice((2, 3, 20))
    else:
        encoding = random.choice(("gzip", "deflate", "x-gzip", "identity", "br"))
        pack = _gzip if random.random() < 0.5 else zlib.compress
        call.body = pack(call.body)
        call.headers["content-encoding"] = encoding


def _gzip(data: bytes) -> bytes:
    """Compress without the time, which would make a case another one a second later."""
    return gzip.compress(data, mtime=0)


def _change_path(random: Random, call: Call) -> None:
    parts = call.path.split("/")
    at = random.randrange(len(parts))
    odd = random.choice(ODD) if random.random() < 0.6 else random.choice(NAMES)
    what = random.randrange(9)
    if what < 3:
        parts[at] = odd
    elif what == 3:
        parts[at] += odd
    elif what == 4:
        parts.insert(at, odd)
    elif what == 5:
        parts.append(random.choice(("", "", odd)))
    elif what == 6:
        del parts[at]
    elif what == 7:
        parts[at] = "".join(f"%{byte:02X}" for byte in parts[at].encode("utf-8", "replace"))
    else:
        call.path = random.choice(
            ("", "/", "//", "*", odd, quote(call.path, errors="replace"), call.path.upper())
        )
        return
    call.path = "/".join(parts)


def _change_header(random: Random, call: Call) -> None:
    mine = list(call.headers)
    name = random.choice(mine if mine and random.random() < 0.6 else HEADER_NAMES)
    what = random.randrange(7)
    if what == 0:
        call.headers.pop(name, None)
    elif what == 1 and name in call.headers:
        call.headers[name] += "," + call.headers[name]  # as API Gateway joins repeated headers
    elif what == 2 and name in call.headers:
        call.headers["".join(random.choice((c, c.upper())) for c in name)] = call.headers.pop(name)
    elif what == 3 and call.headers.get(LENGTH) in _LENGTHS:
        length = int(call.headers[LENGTH]) + random.choice((-100, -1, 1, 2, 16, 10**6))
        call.headers[LENGTH] = str(length)
    else:
        call.headers[name] = random.choice(HEADER_VALUES)


def _change_query(random: Random, call: Call) -> None:
    parts = [call.query, *random.choices(QUERY_PARTS, k=random.choice((1, 1, 2, 5)))]
    random.shuffle(parts)
    call.query = random.choice(("&", "&", "")).join(parts)


def _change_method(random: Random, call: Call) -> None:
    call.method = random.choice(METHODS)


_MUTATIONS: Final = (
    _change_json, _change_bytes, _change_body, _change_path, _change_header, _change_query,
    _change_method,
)  # fmt: skip
_WEIGHTS: Final = (34, 20, 8, 16, 14, 5, 3)


def _event(random: Random, call: Call) -> dict[str, Any]:
    """The call as an event: on a stage or not, with what API Gateway may leave out or add."""
    stage = random.choice(("$default", "$default", "prod", "v2"))
    path = call.path if stage == "$default" else f"/{stage}{call.path}"
    http = {"method": call.method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"}
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": call.query,
        "headers": call.headers,
        "requestContext": {"http": http, "stage": stage, "requestId": "JKJaXmPLvHcESHA="},
        "isBase64Encoded": False,
    }
    if call.body:
        _add_body(random, event, call.body)
    if random.random() < 0.1:
        _vary(random, event)
    return event


def _add_body(random: Random, event: dict[str, Any], body: bytes) -> None:
    text = None
    if random.random() < 0.5:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            text = None
    event["isBase64Encoded"] = text is None
    event["body"] = base64.b64encode(body).decode() if text is None else text


def _vary(random: Random, event: dict[str, Any]) -> None:
    what = random.randrange(9)
    if what == 0:
        event["headers"] = None
    elif what == 1:
        del event["headers"]
    elif what == 2:
        event["isBase64Encoded"] = not event["isBase64Encoded"]
    elif what == 3:
        del event["isBase64Encoded"]
    elif what == 4:
        event["body"] = random.choice((None, "", "=", "\ud800", "é", "YQ", "YQ==\n"))
    elif what == 5:
        event["cookies"] = random.choice(([], ["a=1", "é=\x00"], None))
    elif what == 6:
        event["queryStringParameters"] = random.choice((None, {}, {"a": "1,2", "é": ""}))
    elif what == 7:
        del event["rawQueryString"]
    else:
        event["requestContext"] |= {"authorizer": {"jwt": {"claims": {}}}, "requestId": None}
        event["pathParameters"] = {"proxy": "a/b"}
        event["stageVariables"] = None
