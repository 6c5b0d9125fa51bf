#!/usr/bin/env bash
# The engine against real SMTP server programs on loopback: Postfix's test sink, and Postfix itself
# delivering into a maildir. Each time so many people wait, a signed restock mails them, and the
# server's own count must agree with the engine's. Exits 0 only when both do.
#
#   tests/real_smtp.sh [recipients]           2000 unless given
#
# RESTOCKD_BIN names the binary (target/release/restockd, built when missing). Needs curl, and root
# or sudo for Postfix; installs Debian's package `postfix` when it is missing. Everything it makes
# lies in one temporary directory, and goes with it.
set -euo pipefail
cd "$(dirname "$0")/.."

recipients=${1:-2000}
bin=${RESTOCKD_BIN:-target/release/restockd}
work=$(mktemp -d)
engine='' sink='' postfix_up=''
export PATH="$PATH:/usr/sbin:/sbin"
export RESTOCKD_API_KEY=real-smtp-key INVENTORY_WEBHOOK_SECRET=real-smtp-secret-of-32-bytes-here

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
fail() { echo "FAILED: $*" >&2; exit 1; }

clean_up() {
    [ -z "$engine" ] || kill -9 "$engine" 2>/dev/null || true
    [ -z "$sink" ] || kill "$sink" 2>/dev/null || true
    [ -z "$postfix_up" ] || as_root postfix -c "$work/etc" stop 2>/dev/null || true
    as_root rm -rf "$work"
}
trap clean_up EXIT

# until_true SECONDS WHAT COMMAND...: looks again and again, for another process cannot wake us.
until_true() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "waited too long until $what"
        sleep 0.1
    done
}

speaks() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local port
    while port=$((20000 + RANDOM % 10000)) && speaks "$port"; do :; done
    echo "$port"
}

api() { curl -sS --fail-with-body -H "authorization: Bearer $RESTOCKD_API_KEY" "$@"; }
field() { grep -o "\"$1\":\"\?[A-Za-z0-9_-]*" | head -n 1 | sed 's/.*://; s/"//'; }
listening() { grep -q 'listening on http' "$work/engine.log"; }
is_sent() { [ "$(api "$url/v1/campaigns/$campaign" | field status)" = sent ]; }

# broadcast PORT: a fresh engine mails everybody through the server on that port.
broadcast() {
    rm -rf "$work/data"
    RESTOCKD_MAIL="smtp+insecure://127.0.0.1:$1" RESTOCKD_MAIL_RATE=unlimited \
        RESTOCKD_MAIL_FROM='Shop <news@sender.example>' RESTOCKD_PUBLIC_URL=https://shop.example \
        "$bin" serve --listen 127.0.0.1:0 --data "$work/data" 2>"$work/engine.log" &
    engine=$!
    until_true 30 'the engine listens' listening
    url=$(grep -o 'http://[0-9.:]*' "$work/engine.log" | head -n 1)
    for n in $(seq "$recipients"); do
        echo "{\"name\":\"product.waitlisted\",\"email\":\"p$n@shop.example\",\"lists\":{\"restock-chair\":true}}"
    done >"$work/events"
    api -o "$work/answer" -H 'content-type: application/x-ndjson' --data-binary "@$work/events" "$url/v1/events/batch"
    [ "$(grep -o '"stored":true' "$work/answer" | wc -l)" = "$recipients" ] || fail 'not every press was stored'
    printf '{"delivery_id":"d1","type":"restock","sku":"chair","product_name":"Chair","quantity":9}' >"$work/body"
    curl -sS --fail-with-body -o "$work/answer" -H "$("$bin" sign --secret-env INVENTORY_WEBHOOK_SECRET <"$work/body")" \
        -H 'content-type: application/json' --data-binary "@$work/body" "$url/v1/webhooks/inventory"
    campaign=$(api "$url/v1/campaigns" | field id)
    until_true 120 'the campaign is sent' is_sent
    sent=$(api "$url/v1/campaigns/$campaign" | field sentCount)
    kill "$engine"
    wait "$engine" || fail 'the engine did not stop well'
    engine=''
    [ "$sent" = "$recipients" ] || fail "the engine sent $sent of $recipients"
}

# agree SERVER COUNT DISTINCT
agree() {
    echo "$1: engine sent $sent, server counts $2, distinct recipients $3"
    [ "$2" = "$recipients" ] && [ "$3" = "$recipients" ] || fail "$1 does not agree"
}

if ! command -v smtp-sink >/dev/null || ! command -v postfix >/dev/null; then
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postfix
fi
[ -x "$bin" ] || cargo build --release
chmod 755 "$work"

# --- The sink: one file for each message, and its own running count.
port=$(free_port)
mkdir -m 777 "$work/sink"
# As root it asks for another user; without a shell in between, so that the id is its own.
[ "$(id -u)" = 0 ] && user=(-u nobody) || user=()
smtp-sink -c "${user[@]}" -d "$work/sink/m." "127.0.0.1:$port" 100 >"$work/sink.count" 2>&1 &
sink=$!
until_true 10 'smtp-sink listens' speaks "$port"
broadcast "$port"
kill "$sink"
wait "$sink" || true
sink=''
counted=$(tr '\r' '\n' <"$work/sink.count" | sed -n 's/.*mesg=\([0-9]*\).*/\1/p' | tail -n 1)
files=$(find "$work/sink" -type f | wc -l)
[ "$files" = "$recipients" ] || fail "smtp-sink wrote $files messages"
agree smtp-sink "$counted" "$(cat "$work"/sink/m.* | grep -a '^X-Rcpt-Args: ' | sort -u | wc -l)"

# --- Postfix, with everything it has in a directory of its own, delivering into one maildir.
port=$(free_port)
mkdir -p "$work/etc" "$work/spool" "$work/lib" "$work/mail"
cat >"$work/etc/main.cf" <<CONF
compatibility_level = 3.6
queue_directory = $work/spool
data_directory = $work/lib
daemon_directory = $(as_root postconf -hd daemon_directory)
command_directory = $(as_root postconf -hd command_directory)
maillog_file = $work/log
maillog_file_prefixes = $work
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = real.smtp.example
mydestination =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
virtual_mailbox_domains = shop.example
virtual_mailbox_base = $work/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
CONF
{
    echo "127.0.0.1:$port inet n - n - - smtpd"
    echo 'postlog unix-dgram n - n - 1 postlogd'
    for daemon in rewrite:trivial-rewrite:- bounce:bounce:0 defer:bounce:0 trace:bounce:0 \
        error:error:- retry:error:- anvil:anvil:1 proxymap:proxymap:-; do
        IFS=: read -r name program most <<<"$daemon"
        echo "$name unix - - n - $most $program"
    done
    echo 'cleanup unix n - n - 0 cleanup'
    echo 'flush unix n - n 1000? 0 flush'
    echo 'qmgr unix n - n 300 1 qmgr'
    echo 'virtual unix - n n - - virtual'
} >"$work/etc/master.cf"
as_root chown -R root:root "$work/etc" "$work/spool"
as_root chown postfix "$work/lib"
as_root chown nobody "$work/mail"
postfix_up=yes
as_root postfix -c "$work/etc" start 2>/dev/null || fail "postfix does not start: $(tail -n 5 "$work/log" 2>/dev/null)"
until_true 20 'postfix listens' speaks "$port"
broadcast "$port"
# What Postfix has accepted it still delivers from its own queue.
delivered() { [ "$(as_root find "$work/mail/all/new" -type f 2>/dev/null | wc -l)" -ge "$recipients" ]; }
drained() { [ "$(as_root find "$work/spool" -type f \( -path '*/active/*' -o -path '*/incoming/*' -o -path '*/deferred/*' \) | wc -l)" = 0 ]; }
until_true 60 'postfix has delivered' delivered
until_true 60 'the queue is empty' drained
agree postfix "$(as_root find "$work/mail/all/new" -type f | wc -l)" \
    "$(as_root grep -rh -m 1 '^Delivered-To: ' "$work/mail/all/new" | sort -u | wc -l)"
logged=$(as_root grep -c 'postfix/virtual.*status=sent' "$work/log")
[ "$logged" = "$recipients" ] || fail "postfix logged $logged deliveries"
echo 'both servers agree'
