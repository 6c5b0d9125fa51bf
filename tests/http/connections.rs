//! Connections: times, limits, keep-alive, and an orderly stop. No test sleeps; each waits for what
//! the server does, with a clock that only shows whether it did so too late.
#![expect(clippy::disallowed_methods, reason = "how long a socket stays open is real time")]

use std::time::{Duration, Instant};

use crate::harness::{TestServer, request, start, start_with};

const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(60);
/// Well under [`LONG`], well over [`SHORT`].
const SOON: Duration = Duration::from_secs(15);

fn event(server: &TestServer, id: &str) -> Vec<u8> {
    let bearer = format!("Bearer {}", server.ingest);
    request("POST", "/v1/events", &[("authorization", &bearer), ("x-request-id", id)], br#"{"name":"x"}"#)
}

#[tokio::test]
async fn half_a_head_is_closed_in_time() {
    let server = start_with(|s| (s.header_timeout, s.idle_timeout) = (SHORT, LONG)).await;
    for half in [
        "",
        "G",
        "GET /v1/health HTTP/1.1\r\nhost: x\r\n",
        "POST /v1/events HTTP/1.1\r\ncontent-length: 5\r\nx",
    ] {
        let began = Instant::now();
        let mut connection = server.connect().await;
        connection.write(half.as_bytes()).await;
        assert!(connection.closed().await, "{half}");
        assert!(began.elapsed() < SOON);
    }
    assert!(server.healthy().await);
}

#[tokio::test]
async fn half_a_head_after_a_request_is_closed_in_time() {
    let server = start_with(|s| (s.header_timeout, s.idle_timeout) = (SHORT, LONG)).await;
    let mut connection = server.connect().await;
    connection.write(&request("GET", "/v1/health", &[], b"")).await;
    assert_eq!(connection.reply().await.unwrap().status, 200);
    connection.write(b"GET /v1/hea").await;
    let began = Instant::now();
    assert!(connection.closed().await);
    assert!(began.elapsed() < SOON);
}

#[tokio::test]
async fn a_resting_connection_is_closed_in_time() {
    let server = start_with(|s| (s.header_timeout, s.idle_timeout) = (LONG, SHORT)).await;
    let mut connection = server.connect().await;
    connection.write(&request("GET", "/v1/health", &[], b"")).await;
    assert_eq!(connection.reply().await.unwrap().status, 200);
    let began = Instant::now();
    assert!(connection.closed().await);
    assert!(began.elapsed() < SOON);
}

/// hyper's own `header_read_timeout` begins with the end of the answer before, and would close it.
#[tokio::test]
async fn a_connection_may_rest_for_longer_than_a_head_may_take() {
    let server = start_with(|s| (s.header_timeout, s.idle_timeout) = (SHORT, LONG)).await;
    let mut resting = server.connect().await;
    resting.write(&request("GET", "/v1/health", &[], b"")).await;
    assert_eq!(resting.reply().await.unwrap().status, 200);
    // A head that begins after the rest began is closed when its time is over.
    let mut half = server.connect().await;
    half.write(b"GET /v1/hea").await;
    assert!(half.closed().await);
    resting.write(&request("GET", "/v1/health", &[], b"")).await;
    assert_eq!(resting.reply().await.map(|reply| reply.status), Some(200));
}

#[tokio::test]
async fn an_old_connection_is_closed_behind_its_request() {
    let server = start_with(|s| s.connection_max_age = SHORT).await;
    let mut connection = server.connect().await;
    loop {
        connection.write(&event(&server, "age")).await;
        match connection.reply().await {
            Some(reply) => assert_eq!(reply.status, 202),
            None => break,
        }
    }
    assert!(server.healthy().await);
}

#[tokio::test]
async fn a_slow_body_is_answered_and_closed() {
    let server = start_with(|s| s.body_timeout = SHORT).await;
    let bytes = event(&server, "slow");
    let mut connection = server.connect().await;
    connection.write(&bytes[..bytes.len() - 1]).await;
    let reply = connection.reply().await.unwrap();
    assert_eq!((reply.status, reply.header("connection")), (408, Some("close")));
    assert_eq!(reply.error(), "the request body did not arrive in time");
    assert!(connection.closed().await && server.healthy().await);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_told_so() {
    let server = start().await;
    let bytes = event(&server, "broken");
    let mut connection = server.connect().await;
    connection.write(&bytes[..bytes.len() - 1]).await;
    connection.finish().await;
    let reply = connection.reply().await.unwrap();
    assert_eq!((reply.status, reply.error().as_str()), (400, "the request body could not be read"));
}

#[tokio::test]
async fn one_connection_too_many_is_sent_away() {
    let server = start_with(|s| s.connections_max = 2).await;
    let mut held = [server.connect().await, server.connect().await];
    for connection in &mut held {
        connection.write(&request("GET", "/v1/health", &[], b"")).await;
        assert_eq!(connection.reply().await.unwrap().status, 200);
    }
    let reply = server.connect().await.reply().await.unwrap();
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    let [one, mut other] = held;
    drop(one);
    // The place comes back when the server has seen the connection go; ask until it has.
    while server.connect_and_ask().await != Some(200) {
        tokio::task::yield_now().await;
    }
    other.write(&request("GET", "/v1/health", &[], b"")).await;
    assert_eq!(other.reply().await.unwrap().status, 200);
}

impl TestServer {
    async fn connect_and_ask(&self) -> Option<u16> {
        let mut connection = self.connect().await;
        connection.write(&request("GET", "/v1/health", &[], b"")).await;
        connection.reply().await.map(|reply| reply.status)
    }
}

#[tokio::test]
async fn behind_a_proxy_each_client_has_its_own_share() {
    let server = start_with(|s| {
        s.connections_per_ip = 1;
        s.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    let bearer = format!("Bearer {}", server.ingest);
    let ask = |client: &str| {
        let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", client)];
        request("POST", "/v1/events", &headers, br#"{"name":"x"}"#)
    };
    let (mut open, bytes) = (server.connect().await, ask("6.6.6.6, 9.9.9.9"));
    // With `expect`, the interim answer shows that the request has its place.
    let head = String::from_utf8(bytes).unwrap().replacen("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n", 1);
    let (head, body) = head.split_once("\r\n\r\n").unwrap();
    open.write(format!("{head}\r\n\r\n").as_bytes()).await;
    assert_eq!(open.reply().await.unwrap().status, 100);
    let crowded = server.send(&ask("9.9.9.9")).await;
    assert_eq!((crowded.status, crowded.header("retry-after")), (429, Some("1")));
    assert_eq!(server.send(&ask("6.6.6.6")).await.status, 202);
    open.write(body.as_bytes()).await;
    assert_eq!(open.reply().await.unwrap().status, 202);
    assert_eq!(server.send(&ask("9.9.9.9")).await.status, 202);
}

#[tokio::test]
async fn who_has_spoken_before_being_turned_away_hears_why_all_the_same() {
    let server = start_with(|s| s.connections_max = 1).await;
    let mut held = server.connect().await;
    held.write(&request("GET", "/v1/health", &[], b"")).await;
    assert_eq!(held.reply().await.unwrap().status, 200);
    for _ in 0..50 {
        let mut late = server.connect().await;
        late.write(&request("GET", "/v1/health", &[], b"")).await;
        let reply = late.reply().await.expect("an answer, not a reset");
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    }
}

/// hyper, as many a client, takes an answer that comes before its question for an error.
#[tokio::test]
async fn who_is_turned_away_is_told_when_they_have_spoken_and_not_before() {
    use hyper::client::conn::http1::handshake;
    use hyper_util::rt::TokioIo;
    let server = start_with(|s| s.connections_max = 1).await;
    let mut held = server.connect().await;
    held.write(&request("GET", "/v1/health", &[], b"")).await;
    assert_eq!(held.reply().await.unwrap().status, 200);
    for _ in 0..50 {
        let stream = tokio::net::TcpStream::connect(server.addr).await.unwrap();
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        let carried = tokio::spawn(connection);
        // A word of the server's that is on its way already gets its time to be heard.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        sender.ready().await.expect("a connection that nobody has ended");
        let question = hyper::Request::get("/v1/health").header("host", "a").body(String::new()).unwrap();
        let answer = sender.send_request(question).await.expect("an answer, not an end");
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (503, &"1".parse().unwrap())
        );
        drop((answer, sender));
        let _ = carried.await;
    }
}

#[tokio::test]
async fn batches_share_bounded_room() {
    let server = start_with(|s| s.batch_bytes_max = 1024).await;
    let bearer = format!("Bearer {}", server.ingest);
    let headers = [("authorization", bearer.as_str()), ("expect", "100-continue")];
    let bytes = request("POST", "/v1/events/batch", &headers, br#"{"events":[]}"#);
    let mut open = server.connect().await;
    open.write(&bytes[..bytes.len() - 13]).await;
    assert_eq!(open.reply().await.unwrap().status, 100);
    let second = server.ask("POST", "/v1/events/batch", &server.ingest, br#"{"events":[]}"#).await;
    assert_eq!((second.status, second.header("retry-after")), (503, Some("1")));
    open.write(br#"{"events":[]}"#).await;
    assert_eq!(open.reply().await.unwrap().status, 202);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = start().await;
    let mut bytes = Vec::new();
    for n in 0..50 {
        bytes.extend(event(&server, &format!("n{n}")));
    }
    let mut connection = server.connect().await;
    connection.write(&bytes).await;
    for n in 0..50 {
        let reply = connection.reply().await.unwrap();
        assert_eq!((reply.status, reply.header("x-request-id")), (202, Some(format!("n{n}").as_str())));
    }
}

#[tokio::test]
async fn request_ids_are_kept_or_made() {
    let server = start().await;
    let mut made = Vec::new();
    for id in ["", "two words", "ann@shop.example", "\u{fc}", &"x".repeat(65)] {
        let reply = server.send(&request("GET", "/v1/no-such", &[("x-request-id", id)], b"")).await;
        made.push(reply.header("x-request-id").unwrap().to_owned());
        assert_ne!(made.last().map(String::as_str), Some(id));
    }
    made.sort_unstable();
    made.dedup();
    assert_eq!(made.len(), 5);
    let longest = "~".repeat(64);
    let reply = server.send(&request("GET", "/v1/health", &[("x-request-id", &longest)], b"")).await;
    assert_eq!(reply.header("x-request-id"), Some(longest.as_str()));
}

#[tokio::test]
async fn a_stop_finishes_what_is_open_and_takes_nothing_new() {
    let server = start().await;
    let mut resting = server.connect().await;
    resting.write(&request("GET", "/v1/health", &[], b"")).await;
    assert_eq!(resting.reply().await.unwrap().status, 200);
    let mut silent = server.connect().await;
    let bearer = format!("Bearer {}", server.ingest);
    let headers = [("authorization", bearer.as_str()), ("expect", "100-continue")];
    let bytes = request("POST", "/v1/events", &headers, br#"{"name":"x"}"#);
    let mut open = server.connect().await;
    open.write(&bytes[..bytes.len() - 12]).await;
    assert_eq!(open.reply().await.unwrap().status, 100);
    server.stop();
    assert!(resting.closed().await && silent.closed().await);
    assert!(tokio::net::TcpStream::connect(server.addr).await.is_err());
    open.write(br#"{"name":"x"}"#).await;
    let reply = open.reply().await.unwrap();
    assert_eq!((reply.status, reply.header("connection")), (202, Some("close")));
    assert!(open.closed().await);
    server.stopped().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let server = start_with(|s| s.stop_timeout = SHORT).await;
    let bytes = event(&server, "never");
    let mut open = server.connect().await;
    open.write(&bytes[..bytes.len() - 1]).await;
    server.stop();
    server.stopped().await;
    assert!(open.closed().await);
}

#[tokio::test]
async fn an_unread_answer_is_given_up() {
    let server = start_with(|s| s.idle_timeout = SHORT).await;
    let mut connection = server.connect().await;
    let ask = request("GET", "/v1/health", &[], b"").repeat(2000);
    let began = Instant::now();
    // Written and never read: at last the server stops taking more, and then closes.
    while connection.try_write(&ask).await {
        assert!(began.elapsed() < LONG);
    }
    assert!(server.healthy().await);
}
