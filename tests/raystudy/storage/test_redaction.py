"""Credentials are taken out of URIs, and nothing else is."""

import pytest

from raystudy.storage.redaction import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://me:secret@host:5000/x", "http://***@host:5000/x"),
        ("postgresql+psycopg2://me:se:cr@et@host/db", "postgresql+psycopg2://***@host/db"),
        ("https://token@host", "https://***@host"),
        (
            "mysql://host/db?user=me&password=secret&ssl=1",
            "mysql://host/db?user=me&password=***&ssl=1",
        ),
        ('{"a": "http://me:secret@h", "b": "c@d"}', '{"a": "http://***@h", "b": "c@d"}'),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
        ("method.token=cls me@host", "method.token=cls me@host"),
    ],
)
def test_credentials_are_starred(text, expected):
    assert redact(text) == expected
    assert redact(expected) == expected
