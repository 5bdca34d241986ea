"""What counts as a credential: names, values, and names with values."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerdoit.config import credentials

SECRET_NAMES = re.findall(
    r"\S+",
    """
GH_TOKEN DB_PASSWORD GH_PAT SIGNING_KEY API_SECRET X_SETUP__ADMIN_PWD DB_PASS DB_PASS1 MYSQL_PWD ROOT_PASSWD
PASSPHRASE SECRET_KEY_BASE APIKEY OPENAI_API_KEY AWS_SECRET_ACCESS_KEY JWTSECRET DBPASSWORD ADMINPWD dbPassword
apiKey SecretKey TOKEN CARGO_REGISTRY_TOKEN SSH_PRIVATE_KEY API_KEYS HMAC_KEY_V2 GOOGLE_CREDENTIALS BASIC_AUTH
SESSION_KEY VAULT_SECRET_ID AGE_SECRET_KEY MINIO_SECRET_KEY LICENSE_KEY PASSWORD_HASH PUBLIC_USER_PASSWORD
token-of-mine db.password API_KEY_OPENAI CRYPT_KEY_PEM
""",
)
OTHER_NAMES = re.findall(
    r"\S+",
    """
MAX_TOKENS MAX_OUTPUT_TOKENS TOKENS_PER_MINUTE SORT_KEY PARTITION_KEY PRIMARY_KEY FOREIGN_KEY CACHE_KEY
ROUTING_KEY JWT_PUBLIC_KEY NEXT_PUBLIC_API_KEY STRIPE_PUBLISHABLE_KEY RECAPTCHA_SITE_KEY TOKEN_TTL
PASSWORD_MIN_LENGTH MIN_PASSWORD_LENGTH TOKEN_URL PASSWORD_FILE SECRET_NAME COOKIE_SECRET_PATH KEY_ID
AWS_ACCESS_KEY_ID TOKEN_ID TOKENIZERS_PARALLELISM TOKENIZER KEYBOARD MONKEY KEY PATH_TO_IT RUSTFLAGS
CARGO_PROFILE_DEV_DEBUG BYPASS COMPASS PWD OLDPWD PATTERN PATH PASSENGERS PASSTHROUGH COMPASS_MODE KEYSTONE
SECRETARY_NAME PASSWORD_POLICY TOKEN_TYPE API_KEY_HEADER REDIS_KEY_PREFIX HASH_KEY AUTH_ENABLED A 1 _
APP_KEY_BINDINGS com.example.key-rotation SEAT_MAP_KEY
""",
)


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_name_that_sounds_secret(name: str) -> None:
    assert credentials.sounds_secret(name)
    assert credentials.found(name, "hunter2x") == f'"{name}" looks like a secret'


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_a_name_that_only_resembles_one(name: str) -> None:
    assert not credentials.sounds_secret(name)
    assert credentials.found(name, "hunter2x") is None


HARMLESS_VALUES = re.findall(
    r"\S+",
    """
true False yes no on off none null 4096 1_000_000 0.5 15m 7d 1h30m 3600s 500ms 10MB 80% /run/secrets/x
./secrets/key.pem ~/.netrc /token ${DB_PASSWORD} $TOKEN {{secret}} <your-token> https://auth.example.com/token
postgres://db:5432/shop
""",
)


@pytest.mark.parametrize("value", ["", "  ", *HARMLESS_VALUES])
def test_a_value_that_can_be_no_credential_speaks_for_itself(value: str) -> None:
    for name in ("API_TOKEN", "RENDER_PASS", "SIGNING_KEY"):
        assert credentials.found(name, value) is None


@pytest.mark.parametrize("value", ["123456", "admin", "10MB", "x", "hunter2", "a b"])
def test_a_password_may_be_a_number(value: str) -> None:
    assert credentials.found("ADMIN_PWD", value)
    assert credentials.found("DB_PASSWORD", value)


@pytest.mark.parametrize("value", ["true", "", "/run/secrets/x", "${X}"])
def test_a_password_is_no_switch_no_path_and_no_reference(value: str) -> None:
    assert credentials.found("DB_PASSWORD", value) is None


@pytest.mark.parametrize("value", ["9f8a7d6c5b4e", "1234567890123456789", "12ab", "/aB3dE6gH9jK2mN5pQ8sT", "1h2x"])
def test_a_value_that_may_be_a_credential_after_all(value: str) -> None:
    assert credentials.found("API_TOKEN", value)


BODY = "aB3dE6gH9jK2mN5pQ8sT"
SECRET_VALUES = {
    "postgres://u:p@h": "a password in an address",
    "https://me:hunter2@host/": "a password in an address",
    "redis://:hunter2@cache:6379/0": "a password in an address",
    "amqp://a:b@h/%2f?x=1": "a password in an address",
    "host=db user=shop password=hunter2": "a password among its settings",
    "Server=db;User Id=sa;Password=hunter2;": "a password among its settings",
    "https://api.example.com/v1?api_key=hunter2": "a password among its settings",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE": "a private key",
    "-----BEGIN PRIVATE KEY-----": "a private key",
    "AKIAABCDEFGHIJKLMNOP": "an AWS access key",
    f"ghp_{BODY}": "a GitHub token",
    f"github_pat_{BODY}": "a GitHub token",
    f"glpat-{BODY}": "a GitLab token",
    f"sk_live_{BODY}": "a Stripe key",
    f"xoxb-1234-{BODY}": "a Slack token",
    f"xoxp-{BODY}": "a Slack token",
    f"Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{BODY}": "a JSON web token",
}


@pytest.mark.parametrize("value", SECRET_VALUES)
@pytest.mark.parametrize("name", ["GREETING", "MAX_TOKENS", "DATABASE_URL", "PATH"])
def test_a_credential_is_one_whatever_it_is_called(name: str, value: str) -> None:
    assert credentials.found(name, value) == f'the value of "{name}" holds {SECRET_VALUES[value]}'


OTHER_VALUES = [
    "https://host/path",
    "https://abc123@o1.ingest.example.com/1",
    "postgres://user@host/db",
    "postgres://${USER}:${PASS}@db/x",
    "-C target-cpu=native",
    "key=value",
    "a:b@c",
    "token=1",
    "host=db user=shop",
    "-----BEGIN PUBLIC KEY-----",
    "ghp_",
    "eyJ.eyJ.",
    "info,sqlx=warn",
    "12:30",
    "sha256:abc",
    "https://x/?page=2",
    "host=db password=$PASS user=x",
    "social_ciologist",
]


@pytest.mark.parametrize("value", OTHER_VALUES)
def test_other_values_are_none(value: str) -> None:
    assert credentials.in_value(value) is None


@given(st.text(), st.text())
def test_any_name_and_value_has_an_answer_without_the_value(name: str, value: str) -> None:
    what = credentials.found(name, "\0" + value)
    assert what is None or "\0" not in what
