"""Keep passwords out of what is stored and shown."""

import re

_USER_INFO = re.compile(r"(?<=://)[^/\s\"'@]*(?:@[^/\s\"'@]*)*@")
_QUERY = re.compile(r"(?i)([?&](?:password|passwd|sslpassword|token|secret|api_?key)=)[^&\s\"']+")


def redact(text: str) -> str:
    """Return `text` with user names, passwords and tokens taken out of every URI in it."""
    return _QUERY.sub(r"\1***", _USER_INFO.sub("***@", text))
