//! Queries to a DNS server: TXT or MX, by UDP, and by TCP when the answer does not fit.
//!
//! simple-dns builds and reads the messages; a whole resolver would bring a hundred packages for five queries. The server
//! must be one that resolves recursively, so aliases are followed there. Bounds: three servers, each asked twice, 3 s for an
//! answer, eight datagrams that are not the answer.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};

const PORT: u16 = 53;
const SERVERS_MAX: usize = 3;
const TRIES: usize = 2;
const STRAYS_MAX: usize = 8;
const PATIENCE: Duration = Duration::from_secs(3);

/// The DNS servers to ask.
pub(super) struct Resolver(Vec<SocketAddr>);

impl Resolver {
    /// The given server, or those of the system.
    pub(super) fn find(named: Option<&str>) -> anyhow::Result<Resolver> {
        if let Some(text) = named {
            let server =
                text.parse::<SocketAddr>().or_else(|_| text.parse().map(|ip: IpAddr| (ip, PORT).into()));
            let server =
                server.map_err(|_| anyhow!("--resolver: {text:?} is not an address such as 9.9.9.9"))?;
            return Ok(Resolver(vec![server]));
        }
        let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
        let named = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
        let mut servers: Vec<SocketAddr> = named
            .filter_map(|rest| Some((rest.trim().parse::<IpAddr>().ok()?, PORT).into()))
            .take(SERVERS_MAX)
            .collect();
        if servers.is_empty() {
            servers.push((Ipv4Addr::LOCALHOST, PORT).into());
        }
        Ok(Resolver(servers))
    }

    /// The TXT records at a name, each in one piece.
    pub(super) fn txt(&self, name: &str) -> anyhow::Result<Vec<String>> {
        self.ask(name, TYPE::TXT, |data| match data {
            RData::TXT(txt) => String::try_from(txt.clone()).ok(),
            _ => None,
        })
    }

    /// The mail servers of a domain, in no order; empty when the domain says that it takes no mail.
    pub(super) fn mx(&self, name: &str) -> anyhow::Result<Vec<String>> {
        self.ask(name, TYPE::MX, |data| match data {
            RData::MX(mx) => Some(mx.exchange.to_string()).filter(|name| !name.is_empty()),
            _ => None,
        })
    }

    fn ask<T>(
        &self,
        name: &str,
        kind: TYPE,
        pick: impl Fn(&RData<'_>) -> Option<T>,
    ) -> anyhow::Result<Vec<T>> {
        let mut last = anyhow!("there is no DNS server to ask");
        for server in self.0.iter().cycle().take(TRIES * self.0.len()) {
            match ask_one(*server, name, kind) {
                Ok(bytes) => {
                    let packet = Packet::parse(&bytes).map_err(|_| anyhow!("{server} answered no DNS"))?;
                    return Ok(packet.answers.iter().filter_map(|record| pick(&record.rdata)).collect());
                }
                Err(error) => last = error,
            }
        }
        Err(last.context(format!("DNS does not answer about {name}")))
    }
}

/// Sends one query to one server; returns the bytes of a valid answer.
fn ask_one(server: SocketAddr, name: &str, kind: TYPE) -> anyhow::Result<Vec<u8>> {
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(|_| anyhow!("this machine has no random bytes"))?;
    let id = u16::from_le_bytes(id);
    let mut question = Packet::new_query(id);
    question.set_flags(PacketFlag::RECURSION_DESIRED);
    let asked = Name::new(name).map_err(|_| anyhow!("{name} is no name for DNS"))?;
    question.questions.push(Question::new(asked, kind.into(), CLASS::IN.into(), false));
    let question = question.build_bytes_vec().map_err(|_| anyhow!("{name} cannot be asked about"))?;
    let bytes = by_udp(server, &question, id)?;
    let packet = parsed(&bytes, id).ok_or_else(|| anyhow!("{server} answered no DNS"))?;
    let bytes = if packet.has_flags(PacketFlag::TRUNCATION) { by_tcp(server, &question)? } else { bytes };
    let packet = parsed(&bytes, id).ok_or_else(|| anyhow!("{server} answered no DNS"))?;
    match packet.rcode() {
        RCODE::NoError | RCODE::NameError => Ok(bytes),
        code => bail!("{server} answered {code:?}"),
    }
}

/// The answer if it belongs to our query, by its number.
fn parsed(bytes: &[u8], id: u16) -> Option<Packet<'_>> {
    Packet::parse(bytes).ok().filter(|packet| packet.id() == id && packet.has_flags(PacketFlag::RESPONSE))
}

fn by_udp(server: SocketAddr, question: &[u8], id: u16) -> anyhow::Result<Vec<u8>> {
    let silent = || format!("{server} does not answer");
    let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).with_context(silent)?;
    socket.set_read_timeout(Some(PATIENCE)).with_context(silent)?;
    // A connected socket receives no other host's datagrams.
    socket.connect(server).and_then(|()| socket.send(question)).with_context(silent)?;
    let mut buffer = [0; 4096];
    for _ in 0..STRAYS_MAX {
        let read = socket.recv(&mut buffer).with_context(silent)?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if parsed(bytes, id).is_some() {
            return Ok(bytes.to_vec());
        }
    }
    bail!("{server} answers something else")
}

fn by_tcp(server: SocketAddr, question: &[u8]) -> anyhow::Result<Vec<u8>> {
    let silent = || format!("{server} does not answer by TCP");
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE).with_context(silent)?;
    stream.set_read_timeout(Some(PATIENCE)).with_context(silent)?;
    stream.set_write_timeout(Some(PATIENCE)).with_context(silent)?;
    let length = u16::try_from(question.len()).context("the question is too long")?;
    stream.write_all(&[&length.to_be_bytes(), question].concat()).with_context(silent)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length).with_context(silent)?;
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut bytes).with_context(silent)?;
    Ok(bytes)
}
