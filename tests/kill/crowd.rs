//! P2 and P3 against a crowd: the same webhook from 64 connections at once.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Barrier};

use restockd_testkit::process::{Place, count, restock, until};

use crate::size;

/// Connections that send at once.
const CONNECTIONS: u64 = 64;

/// Sends a request so many times over one connection; answers how many were called duplicates.
fn send(host: &str, request: &[u8], times: u64, together: &Barrier) -> u64 {
    let mut socket = TcpStream::connect(host).unwrap();
    socket.set_nodelay(true).unwrap();
    let mut lines = BufReader::new(socket.try_clone().unwrap());
    together.wait();
    let mut duplicates = 0;
    for _ in 0..times {
        socket.write_all(request).unwrap();
        let (mut line, mut length) = (String::new(), 0);
        lines.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
        while line != "\r\n" {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "the answer ended early");
            if let Some(number) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = number.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        lines.read_exact(&mut body).unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&answer["ok"], &answer["event"]), (&true.into(), &"product.restocked".into()));
        duplicates += u64::from(answer["duplicate"] == true);
    }
    duplicates
}

#[test]
fn one_webhook_thousands_of_times_from_64_connections_is_one_signal_and_one_campaign() {
    let webhooks = size("RESTOCKD_WEBHOOKS", 2000);
    let place = Place::new("memory:");
    let engine = place.start();
    engine.client.press_many((0..50).map(|n| format!("p{n}@shop.example")), "chair");
    let (body, signature) = restock("d1", "chair");
    let head = format!(
        "POST /v1/webhooks/inventory HTTP/1.1\r\nhost: t\r\nx-signature: {signature}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let request: Arc<[u8]> = [head.as_bytes(), body.as_bytes()].concat().into();
    let together = Arc::new(Barrier::new(CONNECTIONS as usize));
    let mut threads = Vec::new();
    for n in 0..CONNECTIONS {
        let (request, together) = (Arc::clone(&request), Arc::clone(&together));
        let host = engine.client.host().to_owned();
        let times = webhooks / CONNECTIONS + u64::from(n < webhooks % CONNECTIONS);
        threads.push(std::thread::spawn(move || send(&host, &request, times, &together)));
    }
    let duplicates: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(duplicates, webhooks - 1, "exactly one of them was new");
    let campaign = until("the campaign is sent", || {
        engine.client.campaign_of("chair").filter(|campaign| campaign["status"] == "sent")
    });
    assert_eq!((count(&campaign, "sent"), &campaign["totalRecipients"]), (50, &50.into()), "{campaign}");
    // One signal is on record, too: after a crash there is still one.
    engine.kill();
    let engine = place.start();
    assert_eq!(engine.client.restock("d1", "chair")["duplicate"], true);
    assert_eq!(engine.client.campaign_of("chair").unwrap()["totalRecipients"], 50);
    println!(
        "{webhooks} webhooks from {CONNECTIONS} connections: 1 new, {duplicates} duplicates, 1 campaign"
    );
    engine.kill();
}
