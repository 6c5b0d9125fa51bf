//! A proxy with a delay: every byte arrives so much later than it was sent, in either direction.
//!
//! Bytes do not hold up one another: what comes within the delay travels along, as on a long line.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a bench may panic")]

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Pieces under way in one direction of one connection.
const UNDER_WAY: usize = 1024;

/// Listens, and forwards every connection to `to`.
pub async fn start(to: SocketAddr, delay: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(to).await.unwrap();
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            carry(near_in, far_out, delay);
            carry(far_in, near_out, delay);
        }
    });
    address
}

/// Forwards one direction of one connection, to its end.
fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (sender, mut pieces) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    tokio::spawn(async move {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(read) = from.read(&mut buffer).await {
            let due = Instant::now() + delay;
            if read == 0 || sender.send((due, buffer[..read].to_vec())).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((due, piece)) = pieces.recv().await {
            sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
        // The other side may have closed first.
        let _ = to.shutdown().await;
    });
}
