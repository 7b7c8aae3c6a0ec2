"""What reaches the logs: one JSON object a line, no token, no mail address, no words of an error."""

import json
import logging
import subprocess
import sys

import pytest

from shopify_upsell.logs import JsonFormatter, redact

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzaG9wIjoib25lIn0.c2lnbmF0dXJl-_x"
SECRETS = {
    "access token": "shpat_0123456789abcdef",
    "refresh token": "shprt_0123456789abcdef",
    "client secret": "shpss_0123456789abcdef",
    "custom app token": "shpca_0123456789abcdef",
    "private app token": "shppa_0123456789abcdef",
    "header": "Bearer abc.def-ghi",
    "jwt": JWT,
    "jwt without signature": JWT.rsplit(".", 1)[0],
    "mail": "robin.o+tag@mail.example.co.uk",
}


def line_of(message="something_happened", *args, exc_info=None, level=logging.INFO, **extra):
    record = logging.getLogger("shopify_upsell.somewhere").makeRecord(
        "shopify_upsell.somewhere", level, __file__, 1, message, args, exc_info, extra=extra
    )
    text = JsonFormatter().format(record)
    assert "\n" not in text
    return json.loads(text)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("around", ["{}", "got {} back", "\n{}\n", 'a "{}" b', "é{}", "x={}&y", "\\{}"])
def test_a_secret_is_cut_out_of_message_arguments_and_every_field_and_the_line_stays_json(secret, around):
    text = around.format(secret)

    line = line_of(
        "happened: %s", text, note=text, nested={"inner": [text, {"deep": text}], text: 1}, thing=ValueError(text)
    )

    assert secret not in json.dumps(line, ensure_ascii=False)
    assert "example.co.uk" not in json.dumps(line)
    assert "[redacted]" in line["event"]
    assert (line["level"], line["logger"]) == ("info", "shopify_upsell.somewhere")
    assert list(line["nested"]) == ["inner", line["note"]]


def test_what_is_no_secret_stays_as_it_is():
    line = line_of(
        "offer_decided", shop_id=7, is_holdout=False, share=0.5, nothing=None, kinds=("a", "b"), scheme="Bearer"
    )

    assert line["event"] == "offer_decided"
    assert (line["shop_id"], line["is_holdout"], line["share"], line["nothing"]) == (7, False, 0.5, None)
    assert (line["kinds"], line["scheme"]) == (["a", "b"], "Bearer")
    assert redact("shpat and eyJ and a@b") == "shpat and eyJ and a@b"


def test_a_trace_keeps_frames_and_kind_and_not_what_the_error_said():
    try:
        _fail("customer 207119551 lives in Example Street")
    except ValueError:
        line = line_of("request_failed", exc_info=sys.exc_info(), level=logging.ERROR)

    assert line["error"] == "ValueError"
    assert [frame.rsplit(" ", 1)[-1] for frame in line["trace"]] == [
        "test_a_trace_keeps_frames_and_kind_and_not_what_the_error_said", "_fail",
    ]  # fmt: skip
    assert "Example Street" not in json.dumps(line)
    assert "207119551" not in json.dumps(line)


def _fail(words):
    raise ValueError(words)


def test_a_name_that_a_stranger_chose_cannot_begin_a_line_of_its_own():
    line = line_of("product_recorded", title='x"}\n{"level": "error", "event": "forged')

    assert line["event"] == "product_recorded"
    assert line["title"].startswith('x"}\n{')


def test_a_process_writes_json_to_standard_error_from_its_level_on():
    program = (
        "import logging; from shopify_upsell.logs import set_up_logging\n"
        "set_up_logging('WARNING')\n"
        "log = logging.getLogger('a')\n"
        "log.info('quiet'); log.warning('loud', extra={'token': 'shpat_abc'})\n"
        "logging.getLogger('huey').info('chatter')"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == ""
    (line,) = [json.loads(line) for line in done.stderr.splitlines()]
    assert (line["event"], line["level"], line["token"]) == ("loud", "warning", "[redacted]")
