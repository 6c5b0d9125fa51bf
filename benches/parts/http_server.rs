//! A real HTTP server in front of an engine that confirms at once, and one connection to it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use restockd::http::{HttpSettings, Server, Source};
use restockd_testkit::null_engine;
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// The server, and one connection to it.
pub struct HttpServer {
    socket: TcpStream,
    stop: watch::Sender<bool>,
    _runtime: Runtime,
}

impl HttpServer {
    pub fn open(sources: Vec<Source>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let context = null_engine::context();
        let listen = "127.0.0.1:0".parse().unwrap();
        let settings = HttpSettings { listen, sources, ..HttpSettings::default() };
        let bound = Server::bind(settings, null_engine::engine(&context), Arc::clone(&context.templates));
        let server = runtime.block_on(bound).unwrap();
        let socket = TcpStream::connect(server.addr()).unwrap();
        socket.set_nodelay(true).unwrap();
        let (stop, stopped) = watch::channel(false);
        runtime.spawn(server.run(stopped));
        Self { socket, stop, _runtime: runtime }
    }

    /// Measures a request over the connection, so many sent together, each with so many items.
    pub fn measure(
        mut self,
        bencher: Bencher<'_, '_>,
        request: &[u8],
        status: &str,
        (in_one_go, items): (usize, usize),
    ) {
        let mut answers = vec![0; self.learn(request, status) * in_one_go];
        let requests = request.repeat(in_one_go);
        bencher.counter(ItemsCount::new(items * in_one_go)).bench_local(|| {
            self.socket.write_all(&requests).unwrap();
            self.socket.read_exact(&mut answers).unwrap();
        });
        let good = format!("HTTP/1.1 {status}");
        assert_eq!(std::str::from_utf8(&answers).unwrap().matches(&good).count(), in_one_go);
    }

    /// Sends one request to learn the length of its answer, which must have this status.
    fn learn(&mut self, request: &[u8], status: &str) -> usize {
        self.socket.write_all(request).unwrap();
        let mut answer = vec![0; 64 * 1024];
        let mut used = 0;
        loop {
            let got = self.socket.read(&mut answer[used..]).unwrap();
            assert!(got > 0, "the server hung up");
            used += got;
            let text = std::str::from_utf8(&answer[..used]).unwrap();
            assert!(text.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return used;
            }
        }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

/// The bytes of a request; it sets its own request id, so that all answers have one length.
pub fn request(method: &str, path: &str, header: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: shop.example\r\nx-request-id: bench\r\n{header}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
