"""The driver of dkim.sh: an engine, a mail server that keeps what it takes, and dkimpy over what it kept."""

import json
import os
import re
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request

import dkim

BIN, WORK = sys.argv[1], sys.argv[2]
KEY = "dkim-proof-key"
RECIPIENTS = 4
LETTERS = 100


class Sink(socketserver.StreamRequestHandler):
    """Takes every letter and undoes the stuffing of dots."""

    kept = []

    def handle(self):
        say = lambda text: self.wfile.write(text.encode() + b"\r\n")
        say("220 sink")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                say("354 go on")
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line[1:] if line.startswith(b".") else line)
                Sink.kept.append(b"".join(lines))
            say("221 bye" if verb == b"QUIT" else "250 ok")


def restockd(*args):
    return subprocess.run([BIN, *args], check=True, capture_output=True, text=True, env=ENV).stdout


def odd_parts():
    """Subject, text and HTML of each campaign: what canonicalisation, folding and stuffing could get wrong."""
    subjects = [
        "plain",
        "Stühle – 椅子 sind wieder da",
        "two  blanks   and a tab\there",
        "long " + "word " * 90 + "end",
        "🪑" * 60,
        "=?utf-8?Q?looks_encoded?= but is not",
        ":colon: first; semicolons; b=nothing; h=from",
    ]
    texts = [
        "",
        "\n\n\n",
        ".\n..\n...dots\n.",
        "trailing blanks   \nand tabs\t\t\n \n\t\n",
        "x" * 5000,
        "Grüße 椅子 " * 300,
        "one\rtwo\r\nthree\n\rfour",
        "From the start\n>From quoted\nFrom: a header?\n\nDKIM-Signature: v=1; b=forged\n",
        "  leading   blanks \n" * 40,
        "a=b=3D=\n=20=\n\x7f tail",
        "\n\n\nbody after empty lines\n\n\n\n",
    ]
    for n in range(LETTERS // RECIPIENTS):
        text = texts[n % len(texts)]
        yield subjects[n % len(subjects)], text, f"<p>{n}</p>\n" + texts[(n + 3) % len(texts)]


def post(path, body):
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), {"authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def until(what, holds):
    for _ in range(300):
        if holds():
            return
        time.sleep(0.1)
    sys.exit(f"FAILED: waited too long until {what}")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)


def verifies(letter, index, records):
    """True when signature number `index` of a letter is good."""
    look_up = lambda name, timeout=5: records.get(name if isinstance(name, bytes) else name.encode())
    try:
        return dkim.DKIM(letter).verify(idx=index, dnsfunc=look_up)
    except dkim.DKIMException:
        return False


def flipped(letter, at):
    """A letter with the lowest bit of one byte turned."""
    return letter[:at] + bytes([letter[at] ^ 1]) + letter[at + 1 :]


def changes(letter):
    """Places whose byte is signed and is not a blank: in the head, in the body, in the hash and in each header field."""
    head, body = letter.split(b"\r\n\r\n", 1)
    plain = [n for n in range(len(letter)) if letter[n] not in b" \t\r\n" and letter[n] ^ 1 not in b" \t\r\n"]
    in_body = [n for n in plain if n > len(head) + 3]
    yield "the first byte of the body", in_body[0]
    yield "the last byte of the body", in_body[-1]
    yield "a byte within the body", in_body[len(in_body) // 2]
    for name in (b"From", b"To", b"Subject", b"Date", b"Message-ID", b"List-Unsubscribe", b"List-Unsubscribe-Post",
                 b"List-Id", b"Feedback-ID", b"CFBL-Address", b"CFBL-Feedback-ID", b"MIME-Version", b"Content-Type"):
        field = re.search(rb"(?m)^" + name + rb":[ \t]*\S", head)
        if not field:
            sys.exit(f"FAILED: a letter has no {name.decode()}:\n{head.decode()}")
        yield f"the value of {name.decode()}", field.end() - 1


ENV = dict(
    os.environ,
    RESTOCKD_API_KEY=KEY,
    RESTOCKD_PUBLIC_URL="https://shop.example",
    RESTOCKD_MAIL_RATE="unlimited",
)
socketserver.ThreadingTCPServer.daemon_threads = True
sink = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Sink)
threading.Thread(target=sink.serve_forever, daemon=True).start()
ENV["RESTOCKD_MAIL"] = f"smtp+insecure://127.0.0.1:{sink.server_address[1]}"

restockd("dkim", "new", "--domain", "shop.example", "--selector", "r1", "--out", f"{WORK}/keys")
restockd("dkim", "new", "--domain", "shop.example", "--selector", "e1", "--ed25519", "--out", f"{WORK}/keys")
write(f"{WORK}/templates/mail/proof/subject.txt", "{{ props.subject }}")
write(f"{WORK}/templates/mail/proof/body.txt", "{{ props.text }}")
write(f"{WORK}/templates/mail/proof/body.html", "{{ props.html | safe }}")
write(f"{WORK}/restockd.toml", f"""
templates = "{WORK}/templates"
[mail]
from = "Köpfchen, \\"Shop\\" <news@shop.example>"
bounce_domain = "bounces.shop.example"
feedback_id = "shop42"
cfbl_address = "fbl@shop.example"
[mail.dkim]
selector = "r1"
key_file = "{WORK}/keys/shop.example.r1.pem"
ed25519_selector = "e1"
ed25519_key_file = "{WORK}/keys/shop.example.e1.pem"
[list.proof]
name = "Proof"
""")
records = {}
for line in restockd("dkim", "records", "--config", f"{WORK}/restockd.toml").splitlines():
    if not line.startswith(";"):
        records[line.split()[0].encode()] = "".join(re.findall(r'"([^"]*)"', line)).encode()

log = open(f"{WORK}/engine.log", "w+")
engine = subprocess.Popen(
    [BIN, "serve", "--config", f"{WORK}/restockd.toml", "--data", f"{WORK}/data", "--listen", "127.0.0.1:0"],
    env=ENV, stdout=log, stderr=log)
try:
    address = lambda: re.search(r"listening on (http://[0-9.:]+)", open(f"{WORK}/engine.log").read())
    until("the engine listens", lambda: address() or engine.poll() is not None)
    if not address():
        sys.exit("FAILED: no engine\n" + open(f"{WORK}/engine.log").read())
    URL = address().group(1)
    for n in range(RECIPIENTS):
        post("/v1/events", {"name": "joined", "email": f"ann{n}@people.example", "lists": {"proof": True}})
    for subject, text, html in odd_parts():
        props = {"subject": subject, "text": text, "html": html}
        post("/v1/campaigns", {"list": "proof", "template": "proof", "props": props})
    until(f"{LETTERS} letters are there", lambda: len(Sink.kept) >= LETTERS)
finally:
    engine.terminate()
    engine.wait(30)

letters = list(Sink.kept)
if len(letters) != LETTERS or len(set(letters)) != LETTERS:
    sys.exit(f"FAILED: {len(letters)} letters, {len(set(letters))} different ones, expected {LETTERS}")
good = bad = 0
for number, letter in enumerate(letters):
    found = set(re.findall(rb"(?m)^DKIM-Signature: v=1; a=([a-z0-9-]+)", letter))
    if found != {b"rsa-sha256", b"ed25519-sha256"}:
        sys.exit(f"FAILED: signatures {found} in\n{letter.decode()}")
    for index in (0, 1):
        if not verifies(letter, index, records):
            sys.exit(f"FAILED: signature {index} does not verify:\n{letter.decode()}")
        good += 1
    # each change before one of the two, in turn
    for turn, (what, at) in enumerate(changes(letter)):
        index = (number + turn) % 2
        if verifies(flipped(letter, at), index, records):
            sys.exit(f"FAILED: {what} was changed and signature {index} verifies:\n{letter.decode()}")
        bad += 1
print(f"{good} signatures of {LETTERS} letters verify; {bad} changes of one bit do not")
