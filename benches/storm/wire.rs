//! One connection to the engine with one request at a time, kept open as a shop's server does.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The limit of an answer: a page of a thousand members is below 200 KiB, a batch of 10,000 answers below 2 MiB.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Bytes,
    /// The signature of a webhook; all other requests carry the key.
    pub(super) signature: Option<String>,
}

impl Call {
    pub(super) fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: Bytes::new(), signature: None }
    }

    pub(super) fn post(path: &str, body: String) -> Self {
        Self { method: Method::POST, path: path.to_owned(), body: body.into(), signature: None }
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct HttpReply {
    pub(super) status: u16,
    /// Whether it had a `Retry-After`.
    pub(super) retry_after: bool,
    pub(super) body: Bytes,
}

impl HttpReply {
    pub(super) fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the body contains a text.
    pub(super) fn says(&self, text: &str) -> bool {
        self.body.windows(text.len()).any(|part| part == text.as_bytes())
    }

    /// How often the body contains a text.
    pub(super) fn count(&self, text: &str) -> u64 {
        self.body.windows(text.len()).filter(|part| *part == text.as_bytes()).count() as u64
    }

    /// The body as JSON; `null` when it is not JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// There is no connection.
    #[error("no connection: {}", .0.kind())]
    Connect(std::io::Error),
    /// The connection ended before the answer.
    #[error("the connection ended: {0}")]
    Http(#[from] hyper::Error),
    /// The answer cannot be read, or the request cannot be written.
    #[error("{0}")]
    Other(String),
}

/// The address and the key for requests.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) addr: SocketAddr,
    pub(super) bearer: HeaderValue,
}

/// A connection that is opened when it is needed.
#[derive(Debug)]
pub(super) struct Wire {
    endpoint: Endpoint,
    host: HeaderValue,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Wire {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        let host = HeaderValue::from_str(&endpoint.addr.to_string());
        let host = host.unwrap_or_else(|_| HeaderValue::from_static("localhost"));
        Self { endpoint: endpoint.clone(), host, sender: None }
    }

    /// Sends a request, after connecting if there is no connection.
    pub(super) async fn ask(&mut self, call: Call) -> Result<HttpReply, Broken> {
        let answer = self.exchange(call).await;
        if answer.is_err() {
            self.sender = None;
        }
        answer
    }

    async fn exchange(&mut self, call: Call) -> Result<HttpReply, Broken> {
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        sender.ready().await?;
        let mut request = Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        *request.uri_mut() = call.path.parse().map_err(|_| Broken::Other("this is no path".to_owned()))?;
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match call.signature {
            None => headers.insert(AUTHORIZATION, self.endpoint.bearer.clone()),
            Some(signature) => {
                let signature =
                    HeaderValue::try_from(signature).map_err(|error| Broken::Other(error.to_string()))?;
                headers.insert(HeaderName::from_static("x-signature"), signature)
            }
        };
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let retry_after = response.headers().contains_key(RETRY_AFTER);
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| Broken::Other(error.to_string()))?.to_bytes();
        self.sender = Some(sender);
        Ok(HttpReply { status, retry_after, body })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Broken> {
        let stream = TcpStream::connect(self.endpoint.addr).await.map_err(Broken::Connect)?;
        stream.set_nodelay(true).map_err(Broken::Connect)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // The sender sees the connection's error too.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}
