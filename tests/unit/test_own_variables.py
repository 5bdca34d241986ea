"""Which variables the deps layer is keyed by: those that tools, native libraries or locked crates are called after."""

from __future__ import annotations

from layerdoit.cargo import lock
from layerdoit.cargo.options import Options
from layerdoit.cargo.own_variables import own
from tests.support.lockfile import entry, external, lockfile

LOCK = lock.parse(
    lockfile(*(external(name, "1.0.0", "aa") for name in ("openssl-sys", "sqlx", "prost-build", "serde")), entry("app"))
)
OWN = ["APP_VERSION", "BUILD_DATE", "DATABASE_URL", "GIT_SHA", "GREETING", "VERSION", "COMMIT", "app_name", "SERDES"]
TOOLS = [
    "RUSTFLAGS", "CARGO_PROFILE_DEV_DEBUG", "RUSTC_WRAPPER", "CC", "CC_x86_64_unknown_linux_gnu", "HOST_CC",
    "CFLAGS", "CXXFLAGS_aarch64", "LDFLAGS", "PROTOC", "PROTOC_INCLUDE", "PKG_CONFIG_PATH", "LIBCLANG_PATH", "PATH",
    "CMAKE_GENERATOR", "SODIUM_LIB_DIR", "ROCKSDB_LIB_DIR", "ZSTD_SYS_USE_PKG_CONFIG", "ORT_STRATEGY_DIR", "FOO_STATIC",
    "http_proxy", "HTTPS_PROXY", "SOURCE_DATE_EPOCH", "PYO3_PYTHON", "BINDGEN_EXTRA_CLANG_ARGS", "JAVA_HOME",
]  # fmt: skip
CALLED_AFTER_A_CRATE = ["OPENSSL_NO_VENDOR", "SQLX_OFFLINE", "PROST_BUILD_X", "SERDE_DERIVE_DEBUG", "OPENSSL"]


def test_names_that_only_own_crates_should_read() -> None:
    assert own(OWN, LOCK, ()) == set(OWN)
    assert own([*TOOLS, *CALLED_AFTER_A_CRATE], LOCK, ()) == frozenset()


def test_the_configuration_decides_otherwise() -> None:
    assert own(OWN, LOCK, ["GIT_SHA"]) == set(OWN) - {"GIT_SHA"}


def test_a_value_of_the_project_is_no_input_of_the_deps_layer() -> None:
    one, two = (Options(env=(("APP_VERSION", value), ("RUSTFLAGS", "-g"))) for value in "12")
    assert one.key_inputs(LOCK) == two.key_inputs(LOCK)
    assert one.own_inputs(LOCK) != two.own_inputs(LOCK)
    assert set(one.own_inputs(LOCK)) == {"env APP_VERSION"}
    assert one.own_listing(LOCK) != two.own_listing(LOCK)
    assert one.environment({}) == "APP_VERSION=1\nRUSTFLAGS=-g\n"
