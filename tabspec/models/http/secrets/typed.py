"""Secrets that are being typed: rules for whole secrets do not match them yet."""

from __future__ import annotations

from tabspec.models.http.secrets.assigned import NAMES, about, is_code, is_made_of_words, is_value
from tabspec.models.http.secrets.spans import compiled

# Beginnings of services' keys. With four more characters, a text is taken as a part of a key.
_KEY = compiled(
    r"(?:^|[^\w.-])(?:A[KS]IA|gh[pousr]_|github_pat_|gl(?:pat|dt|rt|ptt)-|sk-(?:ant|proj|or|svcacct)-|[rs]k_(?:live|test)_"
    r"|whsec_|xox[bpae]-|xapp-|AIza|GOCSPX-|ya29\.|npm_|pypi-|rubygems_|hf_|gsk_|xai-|pplx-|r8_|nvapi-|do[op]_v1_"
    r"|dckr_pat_|SG\.|shp(?:at|ss|ca)_|lin_api_|ntn_|figd_|pul-|hv[sb]\.|tskey-|gl(?:sa|c)_|sntry[su]_|dapi|NRAK-|PMAK-"
    r"|pscale_|sbp_|sb_secret_|re_|phx_|lsv2_|tvly-|f[om][12]_|AT[AC]TT3x|AGE-SECRET-KEY-|nsec1)([\w.-]{4,})$"
)
_LONGEST_LINE = 400  # of what is typed by hand

_NAME = rf"(?P<name>[\w.-]{{0,40}}(?:{NAMES})[\w.-]{{0,30}})[\"']?"
_QUOTED = compiled(
    rf"(?i){_NAME}\]?\s*(?::\s*[\w.<>\[\]|? &]{{1,40}})?(?:=>|:=|\?=|[:=]|,)=?=?\s*[\"'`](?P<value>[^\"'`]+)$"
)
_BARE = compiled(rf"(?i){_NAME}[ \t]*(?:=>|:=|\?=|[:=])[ \t]*[\"']?(?P<value>[^\s\"']+)$")


def secret_at(text: str, suffix: str, name: str) -> str:
    """The kind of secret that the cursor, between ``text`` and ``suffix``, is in or at the end of; "" for none."""
    line = text[text.rfind("\n", max(len(text) - _LONGEST_LINE, 0)) + 1 :][-_LONGEST_LINE:]
    if (key := _KEY.search(line)) and any(map(str.isdigit, key.group(1))):
        return "key that is being typed"
    quoted = _QUOTED.search(line)
    match = quoted or (None if is_code(name) else _BARE.search(line))
    if match is None or about(match.group("name")) or not is_value(match.group("value"), quoted=quoted is not None):
        return ""
    if is_made_of_words(match.group("name"), match.group("value")):
        return ""
    return "password that is being typed"
