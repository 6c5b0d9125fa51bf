//! Bytes that are not quite HTTP: refused by status or by closing, never by a 500, never for long.

use std::time::Duration;

use crate::harness::{start, start_with};

#[tokio::test]
async fn broken_framing_is_refused_and_forgotten() {
    let server = start_with(|s| {
        (s.header_timeout, s.body_timeout) = (Duration::from_millis(500), Duration::from_millis(500));
    })
    .await;
    let post = "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ingest-key\r\n";
    let chunked = format!("{post}transfer-encoding: chunked\r\n\r\n");
    let many: String = (0..70).map(|n| format!("x-{n}: 1\r\n")).collect();
    let cases: Vec<String> = vec![
        "\r\n\r\n\r\n\r\n".into(),
        "hello\r\n\r\n".into(),
        "GET\r\n\r\n".into(),
        "GET /v1/health\r\n\r\n".into(),
        "GET /v1/health HTTP/9.9\r\n\r\n".into(),
        "GET /v1/health HTTP/2.0\r\n\r\n".into(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\r\n\r\n".into(),
        "GET v1/health HTTP/1.1\r\n\r\n".into(),
        "GET /v1/he alth HTTP/1.1\r\n\r\n".into(),
        "GET /v1/\u{0}health HTTP/1.1\r\n\r\n".into(),
        "G\u{0}T /v1/health HTTP/1.1\r\n\r\n".into(),
        format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)),
        format!("GET / HTTP/1.1\r\n{many}\r\n"),
        format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(100_000)),
        "GET / HTTP/1.1\r\nno colon\r\n\r\n".into(),
        "GET / HTTP/1.1\r\n: empty\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nbad name: x\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nx: a\u{0}b\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nx: a\r\n folded\r\n\r\n".into(),
        format!("{post}content-length: -1\r\n\r\n"),
        format!("{post}content-length: x\r\n\r\n"),
        format!("{post}content-length: 1,2\r\n\r\nxx"),
        format!("{post}content-length: 1\r\ncontent-length: 2\r\n\r\nxx"),
        format!("{post}content-length: 99999999999999999999999\r\n\r\n"),
        format!("{post}content-length: 18446744073709551615\r\n\r\nx"),
        format!("{post}content-length: 50\r\n\r\n{{"),
        format!("{post}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\nzzzzz"),
        format!("{post}transfer-encoding: gzip\r\n\r\nx"),
        format!("{post}transfer-encoding: chunked, gzip\r\n\r\nx"),
        format!("{chunked}zz\r\n"),
        format!("{chunked}-1\r\n"),
        format!("{chunked}ffffffffffffffffff\r\n"),
        format!("{chunked}5\r\nabc"),
        format!("{chunked}2\r\n{{}}garbage"),
        format!("{chunked}2;{}\r\n{{}}\r\n", "e".repeat(100_000)),
        format!("{chunked}0\r\n{many}\r\n"),
        format!("{chunked}11000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x11000)),
        format!("{post}expect: the-unexpected\r\ncontent-length: 2\r\n\r\n"),
        "CONNECT shop.example:443 HTTP/1.1\r\nhost: x\r\n\r\n".into(),
        "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n".into(),
        "GET http://other.example/v1/no-such HTTP/1.1\r\nhost: x\r\n\r\n".into(),
        "GET /v1/no-such HTTP/1.0\r\n\r\n".into(),
        format!("{post}connection: upgrade\r\nupgrade: websocket\r\ncontent-length: 1\r\n\r\n{{"),
    ];
    for case in &cases {
        for ends in [true, false] {
            let mut connection = server.connect().await;
            connection.write(server.keyed(case).as_bytes()).await;
            if ends {
                connection.finish().await;
            }
            if let Some(reply) = connection.reply().await {
                let shown = &case[..case.len().min(120)];
                assert!((400..500).contains(&reply.status), "{shown:?} -> {reply:?}");
            }
            assert!(server.healthy().await);
        }
    }
}

#[tokio::test]
async fn a_chunked_body_is_as_good_as_a_counted_one() {
    let server = start().await;
    let head = "POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ingest-key\r\ntransfer-encoding: chunked\r\n\r\n";
    let head = server.keyed(head);
    let reply = server
        .send(format!("{head}5\r\n{{\"nam\r\n7;x=y\r\ne\":\"x\"}}\r\n0\r\ntrailer: 1\r\n\r\n").as_bytes())
        .await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    let reply =
        server.send("GET http://other.example/v1/health HTTP/1.1\r\nhost: x\r\n\r\n".as_bytes()).await;
    assert_eq!(reply.status, 200);
    let reply = server.send("GET /v1/health HTTP/1.0\r\n\r\n".as_bytes()).await;
    assert_eq!(reply.status, 200);
}
