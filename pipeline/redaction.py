"""Remove credentials from texts before they are logged, shown or published.

What may be shown of a URL is listed; everything else of it that can be a secret is masked: user and
password, the values of parameters (in query, fragment and path), stream keys and tokens in paths.
"""

from __future__ import annotations

import re

MASK = "***"

# A scheme has at most 20 letters here, so that a long text is read in linear time. A URL ends where
# the next one begins, which a letter, a slash or a colon before it rules out: "://" in a password.
_URL = re.compile(
    r"""(?P<scheme>[a-z][a-z0-9+.-]{0,20}://)"""
    r"""(?P<rest>(?:(?!(?<![\w:/@.%-])[a-z][a-z0-9+.-]{0,20}://)[^\s"'<>])*)""",
    re.I,
)
_ONE_URL = re.compile(r"\s*(?P<scheme>[a-z][a-z0-9+.-]{0,20}://)(?P<rest>.*)", re.I | re.S)
_BARE_USERINFO = re.compile(r".*:.*@", re.S)
_SENTENCE_END = ".,;:!)]}\\"  # behind a URL in a text, not a part of it

_AUTHORITY = re.compile(r"[^/?#\\]*")
_HOST = r"(?:\[[0-9a-f:.%]+\]|[^\[\]:,@\s]+)(?::\d+)?"
_HOSTS = re.compile(rf"(?:.*@)?{_HOST}(?:,{_HOST})*", re.I | re.S)
_PARAMETER = re.compile(r"[^?&;#]+")
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,30}")
_NOTHING = re.compile(r"\s*|\*{3}")
_PLAIN_VALUE = re.compile(r"[\w.,:/+-]{0,40}")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Parameters of cameras, of redis-py and of a file's query whose values tell no secret.
_HARMLESS = _words(
    "transport transportmode rtsp_transport proto protocol unicast multicast tcp udp "
    "channel channelid channelno chan chn ch camera cameraid cam inst "
    "subtype stream streamtype streamno substream profile profileid type mode format "
    "resolution res size width height w h x y fps framerate rate compression quality bitrate "
    "codec videocodec audio video overview rotation mirror color cmd action page "
    "live loop speed duration timeout sessiontimeout version real_stream enablesrtp "
    "db encoding decode_responses health_check_interval max_connections socket_timeout "
    "socket_connect_timeout socket_keepalive retry_on_timeout retry_on_error "
    "ssl_cert_reqs ssl_check_hostname ssl_ca_certs ssl_ca_path"
)
# The path segment behind one of these is a secret: /user/NAME/pass/WORD, /admin/WORD/.
_BEFORE_SECRET = _words(
    "user username usr login account admin root pass password passwd passcode pwd psw pin token "
    "access_token auth secret key apikey api_key api-key session sessionid sid sig signature hash "
    "jwt ticket credential credentials"
)
# Everything behind one of these is: it is the only credential of a webhook.
_BEFORE_SECRETS = frozenset(("webhook", "webhooks", "hook", "hooks", "services"))
_UNIFI_PORTS = (":7441", ":7447")  # rtsps://CONSOLE:7441/TOKEN
# http://HOST/live/USER/PASSWORD/1.ts
_XTREAM = re.compile(
    r"/(?:(?:live|movie|series|timeshift)/)?(?P<user>[^/]+)/(?P<word>[^/]+)/[^/]+\.(?:ts|m3u8|mp4|mkv)"
)
_UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.I)
_REOLINK = re.compile(r"channel\d+_\w{3,5}\.bcs")


def mask_url(text: str) -> str:
    """Replace what is secret in every URL of a text by `***`; the host stays.

    A text that begins with its only URL is read as one, so that blanks and quotes in a password
    are masked too. Inside a longer text such a password has no recognizable end, so mask a URL
    before embedding it. Masking too much is the safe error.

    Args:
        text: a URL of any scheme or a text with URLs in it.

    Returns:
        The text with masked credentials, parameters, keys and tokens.
    """
    only = _ONE_URL.fullmatch(text) if text.count("://") == 1 else None
    if only is not None:
        return only["scheme"] + _mask_rest(only["scheme"], only["rest"])
    return _URL.sub(_mask_match, text)


def mask_source(text: str) -> str:
    """Mask what is secret in a camera source as the user wrote it.

    Args:
        text: a URL, a path, or a URL whose scheme is missing (`user:password@host`).
    """
    url = _ONE_URL.fullmatch(text)
    if url is not None:
        return url["scheme"] + _mask_rest(url["scheme"], url["rest"])
    if "://" in text:
        return mask_url(text)
    text = _BARE_USERINFO.sub(f"{MASK}@", text)
    path, mark, query = text.rpartition("?") if "?" in text else (text, "", "")
    return path + mark + _PARAMETER.sub(_mask_assignment, query)


def looks_secret(text: str) -> bool:
    """Return whether a part of a path looks like a key or token: random, not made of words.

    A run of letters and digits counts as words where it changes between small letters, capitals
    and digits as rarely as `H264LiveStream1` does.
    """
    return _UUID.search(text) is not None or any(
        _is_random(run) for run in re.findall(r"[^\W_]{8,}", text)
    )


def _is_random(run: str) -> bool:
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+|.", run)
    mean = len(run) / len(words)
    if len(run) >= 16:
        inner_digits = re.search(r"[A-Za-z]\d+[A-Za-z]", run) is not None
        return inner_digits or mean < 4 or max(len(word) for word in words) > 14
    return mean < (3 if len(run) >= 10 else 2)


def _mask_match(match: re.Match[str]) -> str:
    rest = match["rest"].rstrip(_SENTENCE_END)
    return match["scheme"] + _mask_rest(match["scheme"], rest) + match["rest"][len(rest) :]


def _mask_rest(scheme: str, rest: str) -> str:
    """Mask what stands behind the scheme of a URL."""
    authority = _AUTHORITY.match(rest)
    assert authority is not None  # it matches nothing as well
    at = rest.rfind("@")
    if at >= authority.end():
        # Either a password with a raw delimiter in it, or an "@" in path or query: where both can
        # be, what is before it and what is behind it can be the secret.
        is_url = not authority[0] or _HOSTS.fullmatch(authority[0]) is not None
        if is_url or _HOSTS.fullmatch(rest[at + 1 :].partition("/")[0]) is None:
            return MASK
    userinfo = f"{MASK}@" if at >= 0 else ""
    location = rest[at + 1 :]
    host = re.match(r"[^/?#\\;]*", location)
    assert host is not None
    end = re.search(r"[?#]", location)
    path = location[host.end() : end.start() if end else None]
    query = location[end.start() :] if end else ""
    shown = _mask_path(scheme.lower(), host[0], path)
    return userinfo + host[0] + shown + _PARAMETER.sub(_mask_parameter, query)


def _mask_path(scheme: str, host: str, path: str) -> str:
    if scheme in ("unix://", "file://"):
        return path
    segments = path.split("/")  # the first one is empty, or parameters behind the host
    hidden = [False] * len(segments)
    before, is_behind_hook = "", False
    for index, segment in enumerate(segments):
        hidden[index] = index > 0 and (
            looks_secret(segment)
            or before in _BEFORE_SECRET
            or is_behind_hook
            or (index == 1 and host.endswith(_UNIFI_PORTS))
            or (index > 1 and scheme.startswith("rtmp") and not _REOLINK.fullmatch(segment))
        )
        before = segment.lower()
        is_behind_hook = is_behind_hook or before in _BEFORE_SECRETS
    if scheme.startswith("http") and (xtream := _XTREAM.fullmatch(path)):
        for name in ("user", "word"):
            hidden[path.count("/", 0, xtream.start(name))] = True
    return "/".join(
        _mask_segment(segment, is_hidden)
        for segment, is_hidden in zip(segments, hidden, strict=True)
    )


def _mask_segment(segment: str, is_hidden: bool) -> str:
    if "=" in segment:  # /user=NAME&password=WORD&channel=1, also joined by "_" or ","
        pieces = re.split(r"([&;,]|_(?=[A-Za-z]+=))", segment)
        masked = (
            piece if index % 2 else _mask_text_parameter(piece)
            for index, piece in enumerate(pieces)
        )
        return "".join(masked)
    if is_hidden and segment:
        return MASK
    name, semicolon, parameters = segment.partition(";")
    return name + semicolon + _PARAMETER.sub(_mask_parameter, parameters)


def _mask_parameter(match: re.Match[str]) -> str:
    return _mask_text_parameter(match[0])


def _mask_assignment(match: re.Match[str]) -> str:
    """Mask a parameter of a file's query; a word without a value may be a mistyped option."""
    text = match[0]
    return _mask_text_parameter(text) if "=" in text or looks_secret(text) else text


def _mask_text_parameter(text: str) -> str:
    name, equals, value = text.partition("=")
    if name.lower() in _HARMLESS and _PLAIN_VALUE.fullmatch(value) and not looks_secret(value):
        return text
    if not equals and _NOTHING.fullmatch(text):
        return text
    if not value.strip("=") or not _NAME.fullmatch(name) or looks_secret(name):
        return MASK
    return f"{name}={MASK}"
