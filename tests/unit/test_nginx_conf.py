"""The configuration of nginx, from settings; tests/engine/test_served_page.py asks nginx itself."""

from __future__ import annotations

from layerdoit.config.services_section import Static
from layerdoit.dockerfile.nginx_conf import conf


def test_only_what_is_asked_for() -> None:
    plain = conf(Static(), 9000)
    assert "listen 9000 default_server;" in plain
    assert "brotli_static on;" in plain
    assert "proxy_pass" not in plain
    assert "resolver" not in plain, "nginx waits for nobody"
    assert 'try_files "/index.html" =404;' in plain
    bare = conf(Static(fallback=None, immutable=()), brotli=False)
    assert "brotli" not in bare
    assert "immutable" not in bare
    assert "return 404;" in bare


def test_addresses_with_a_path_stand_for_what_is_named() -> None:
    as_it_is = conf(Static(proxy={"/api": "http://api:80"}))
    assert "rewrite ^ $uri/" in as_it_is
    assert 'rewrite "^/api' not in as_it_is
    assert 'location = "/api" {' in as_it_is
    assert 'location ^~ "/api/" {' in as_it_is
    instead = conf(Static(proxy={"/api/v1.0": "https://far.example/x/"}))
    assert 'rewrite "^/api/v1[.]0/?(.*)$" "/x/$1" break;' in instead
    assert "proxy_ssl_verify on;" in instead


def test_texts_of_the_user_end_where_they_end() -> None:
    text = conf(Static(fallback='a "page".html', immutable=('"; evil',), proxy={'/q"': "http://api"}))
    assert 'try_files "/a \\"page\\".html" =404;' in text
    assert 'location = "/q\\"" {' in text
    assert '[\\"][;][ ]evil' in text
