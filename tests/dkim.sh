#!/usr/bin/env bash
# Letters of the real engine, as a mail server takes them, before an independent verifier of DKIM (dkimpy): a hundred odd
# ones, signed with RSA and with Ed25519, must verify by the records that `restockd dkim records` prints, and none of them
# may with a byte changed. Exits 0 only then.
#
# RESTOCKD_BIN names the binary (target/release/restockd, built when missing). Needs python3 with venv, openssl and a
# package index for pip; without one it fails. Everything it makes lies in one temporary directory, and goes with it.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${RESTOCKD_BIN:-target/release/restockd}
[ -x "$bin" ] || cargo build --release --bin restockd
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --retries 2 --timeout 20 dkimpy==1.1.8 pynacl==1.6.2
timeout 150 "$work/venv/bin/python" tests/dkim_proof.py "$bin" "$work"
