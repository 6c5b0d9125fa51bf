//! `restockd dkim` as a person runs it: key files, records, and a DNS server on loopback that has them, or not.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use simple_dns::rdata::{MX, RData, TXT};
use simple_dns::{CLASS, CharacterString, Name, Packet, PacketFlag, RCODE, ResourceRecord};

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mail/keys");

fn restockd(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_restockd")).args(args).env_remove("RESTOCKD_MAIL_FROM").output().unwrap()
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What the server knows: the texts and mail servers at a name.
type Zone = BTreeMap<String, (Vec<String>, Vec<String>)>;

/// Something done to a zone.
type Change = fn(&mut Zone);

/// The answer to a question; without room an answer of more than 512 bytes is only announced.
fn answer(zone: &Zone, question: &[u8], room: usize) -> Vec<u8> {
    let asked = Packet::parse(question).unwrap();
    let name = asked.questions[0].qname.to_string();
    let mut reply = asked.clone().into_reply();
    let mut small = reply.clone();
    let empty = (Vec::new(), Vec::new());
    let (texts, servers) = zone.get(&name).unwrap_or(&empty);
    if !zone.contains_key(&name) {
        *reply.rcode_mut() = RCODE::NameError;
    }
    let qname = Name::new(&name).unwrap();
    let mut say = |data| reply.answers.push(ResourceRecord::new(qname.clone(), CLASS::IN, 60, data));
    if asked.questions[0].qtype == simple_dns::TYPE::TXT.into() {
        for text in texts {
            let mut txt = TXT::new();
            for part in text.as_bytes().chunks(255) {
                txt.add_char_string(CharacterString::new(part).unwrap());
            }
            say(RData::TXT(txt));
        }
    } else {
        for server in servers {
            say(RData::MX(MX { preference: 10, exchange: Name::new(server).unwrap() }));
        }
    }
    let whole = reply.build_bytes_vec().unwrap();
    if whole.len() <= room {
        return whole;
    }
    small.set_flags(PacketFlag::TRUNCATION);
    small.build_bytes_vec().unwrap()
}

/// A DNS server on a free port, by UDP (512 bytes) and TCP; its threads end with the process.
fn serve(zone: Zone) -> SocketAddr {
    let (tcp, udp) = loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            break (tcp, udp);
        }
    };
    let address = tcp.local_addr().unwrap();
    let by_tcp = zone.clone();
    std::thread::spawn(move || {
        for stream in tcp.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut question).unwrap();
            let answer = answer(&by_tcp, &question, usize::MAX);
            let length = u16::try_from(answer.len()).unwrap().to_be_bytes();
            stream.write_all(&[&length, answer.as_slice()].concat()).unwrap();
        }
    });
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((read, from)) = udp.recv_from(&mut buffer) {
            // a stray first: it is not the answer and must not be taken for one
            udp.send_to(b"stray", from).unwrap();
            udp.send_to(&answer(&zone, &buffer[..read], 512), from).unwrap();
        }
    });
    address
}

/// A configuration that signs with two keys and has a bounce domain.
fn configuration(dir: &Path) -> String {
    let file = dir.join("restockd.toml");
    let text = format!(
        "[mail]\nfrom = \"Shop <news@mail.shop.example>\"\nbounce_domain = \"bounces.shop.example\"\n[mail.dkim]\n\
         domain = \"shop.example\"\nselector = \"r1\"\nkey_file = \"{KEYS}/rsa2048.pem\"\ned25519_selector = \"e1\"\n\
         ed25519_key_file = \"{KEYS}/ed25519.pem\"\n"
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// What `records` prints, as a zone, and what only the relay knows.
fn published(config: &str) -> Zone {
    let output = restockd(&["dkim", "records", "--config", config]);
    assert!(output.status.success(), "{}", words(&output));
    let mut zone = Zone::new();
    for line in words(&output).lines().filter(|line| !line.starts_with(';')) {
        let (name, value) = line.split_once(". IN TXT ").unwrap();
        let value: String = value.split('"').skip(1).step_by(2).collect();
        zone.entry(name.to_owned()).or_default().0.push(value);
    }
    let bounces = zone.entry("bounces.shop.example".to_owned()).or_default();
    bounces.0.extend(["v=spf1 include:relay.example -all".to_owned(), "another text".repeat(30)]);
    bounces.1.push("mx.shop.example".to_owned());
    zone
}

fn check(config: &str, zone: Zone) -> (Option<i32>, String) {
    let server = serve(zone).to_string();
    let output = restockd(&["dkim", "check", "--config", config, "--resolver", &server]);
    (output.status.code(), words(&output))
}

#[test]
fn what_records_prints_is_what_check_wants() {
    let dir = tempfile::tempdir().unwrap();
    let config = configuration(dir.path());
    let zone = published(&config);
    assert_eq!(zone.len(), 4, "{zone:?}");
    let (code, said) = check(&config, zone);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("ok       ").count(), 5, "{said}");
    assert!(said.contains("bounces go to mx.shop.example"), "{said}");
}

#[test]
fn a_record_that_is_missing_or_another_ends_non_zero_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let config = configuration(dir.path());
    let whole = published(&config);
    let spoil: [(&str, Change); 7] = [
        ("r1._domainkey.shop.example: there is no such record", |z| {
            drop(z.remove("r1._domainkey.shop.example"))
        }),
        ("e1._domainkey.shop.example: another key", |z| {
            z.get_mut("e1._domainkey.shop.example").unwrap().0[0] =
                z["r1._domainkey.shop.example"].0[0].clone();
        }),
        ("r1._domainkey.shop.example: the key is revoked", |z| {
            z.get_mut("r1._domainkey.shop.example").unwrap().0[0] = "v=DKIM1; p=".to_owned();
        }),
        ("bounces.shop.example: there is no SPF", |z| {
            drop(z.get_mut("bounces.shop.example").unwrap().0.remove(0))
        }),
        ("bounces.shop.example: there are 2 SPF", |z| {
            z.get_mut("bounces.shop.example").unwrap().0.push("v=spf1 -all".to_owned());
        }),
        ("bounces.shop.example: no server takes mail", |z| {
            z.get_mut("bounces.shop.example").unwrap().1.clear()
        }),
        ("_dmarc.shop.example: there is no DMARC", |z| drop(z.remove("_dmarc.mail.shop.example"))),
    ];
    for (expected, change) in spoil {
        let mut zone = whole.clone();
        change(&mut zone);
        let (code, said) = check(&config, zone);
        assert_eq!(code, Some(1), "{expected}: {said}");
        assert!(said.contains(&format!("WRONG    {expected}")), "{expected}: {said}");
        assert_eq!(said.matches("WRONG").count(), 1, "{said}");
    }
}

#[test]
fn a_policy_above_the_senders_domain_counts() {
    let dir = tempfile::tempdir().unwrap();
    let config = configuration(dir.path());
    let mut zone = published(&config);
    let policy = zone.remove("_dmarc.mail.shop.example").unwrap();
    zone.insert("_dmarc.shop.example".to_owned(), policy);
    let (code, said) = check(&config, zone);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_new_key_is_for_its_owner_only_and_never_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("keys").display().to_string();
    let args = ["dkim", "new", "--domain", "shop.example", "--selector", "e1", "--ed25519", "--out", &out];
    let output = restockd(&args);
    let said = words(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("e1._domainkey.shop.example. IN TXT \"v=DKIM1; k=ed25519; p="), "{said}");
    let path = Path::new(&out).join("shop.example.e1.pem");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let key = std::fs::read(&path).unwrap();
    let again = restockd(&args);
    assert_eq!(again.status.code(), Some(1));
    assert!(words(&again).contains("is there already"), "{}", words(&again));
    assert_eq!(std::fs::read(&path).unwrap(), key);
    assert!(!said.contains("PRIVATE KEY"), "{said}");
    let odd =
        restockd(&["dkim", "new", "--domain", "../shop", "--selector", "e", "--ed25519", "--out", &out]);
    assert_eq!(odd.status.code(), Some(1));
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1);
}
