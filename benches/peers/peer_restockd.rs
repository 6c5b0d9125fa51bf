//! restockd itself: the binary with its defaults, pressed through `POST /v1/events`.
//!
//! Its answers are durable without any setting; only the number of connections from one address is raised. The client is
//! hyper's, which costs what the others' clients cost: a task and a channel for each connection.
#![allow(clippy::unwrap_used, reason = "a bench may panic")]

use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use restockd_testkit::process::{Engine, KEY, Place};
use restockd_testkit::servers;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::load::{Client, Load, Stretch};
use crate::shopper::Act;

pub fn stretch(runtime: &Runtime, dir: &Path, load: &Load) -> Stretch {
    let limit = load.clients + 16;
    let toml = format!("[http]\nconnections_max = {limit}\nconnections_per_ip = {limit}\n");
    let place = Place::new("memory:").toml(&toml).data_in(dir.join("data"));
    let engine = place.spawn(&servers::lead("KILL", None)).listening().unwrap();
    let clients = runtime.block_on(async {
        let mut clients = Vec::new();
        for _ in 0..load.clients {
            clients.push(Connection::open(engine.client.host()).await);
        }
        clients
    });
    let (stretch, tally) = load.run(runtime, clients, engine.id());
    assert_eq!(members(&engine), tally.members(), "acknowledged: {tally:?}");
    engine.kill();
    stretch
}

/// Members of all lists.
fn members(engine: &Engine) -> u64 {
    let (mut sum, mut cursor) = (0, String::new());
    loop {
        let page = engine.client.get(&format!("/v1/lists?limit=1000{cursor}"));
        sum += page["lists"]
            .as_array()
            .unwrap()
            .iter()
            .map(|list| list["members"].as_u64().unwrap())
            .sum::<u64>();
        let Some(next) = page["cursor"].as_str() else { return sum };
        cursor = format!("&cursor={next}");
    }
}

struct Connection {
    host: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    async fn open(host: &str) -> Self {
        let socket = TcpStream::connect(host).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let (sender, connection) = handshake(TokioIo::new(socket)).await.unwrap();
        tokio::spawn(connection);
        Self { host: host.to_owned(), sender }
    }
}

impl Client for Connection {
    async fn act(&mut self, act: &Act) -> bool {
        let name = if act.on() { "product.waitlisted" } else { "order.completed" };
        // No part of it needs escaping.
        let body = format!(
            r#"{{"name":"{name}","email":"{}","lists":{{"{}":{}}},"idempotencyKey":"{}"}}"#,
            act.email,
            act.list,
            act.on(),
            act.key
        );
        let request = Request::post("/v1/events")
            .header("host", &self.host)
            .header("authorization", format!("Bearer {KEY}"))
            .header("content-type", "application/json")
            .body(Full::from(body))
            .unwrap();
        self.sender.ready().await.unwrap();
        let answer = self.sender.send_request(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(status == StatusCode::ACCEPTED && !text.contains("listsError"), "{status} {text}");
        text.contains(r#""stored":true"#)
    }
}
