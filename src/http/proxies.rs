//! Who the client is when a proxy stands between.
//!
//! `X-Forwarded-For` is written by anybody, so it is read from the right, and only as far as
//! addresses are trusted: the first one that is not is the client. The header counts for nothing
//! when the peer itself is not a trusted proxy. The address is used to share places fairly and is
//! never logged.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// An address or a network, `10.0.0.0/8` or `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpNet {
    address: IpAddr,
    bits: u8,
}

/// The text is no address and no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an ip address or network such as 10.0.0.0/8")]
pub struct IpNetError;

impl IpNet {
    /// True when the address lies in this network (an IPv4 address in IPv6 dress counts as IPv4).
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                same(u32::from(net).into(), u32::from(ip).into(), 32, self.bits)
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => same(net.into(), ip.into(), 128, self.bits),
            _ => false,
        }
    }
}

/// True when the first `bits` of `width` agree.
fn same(a: u128, b: u128, width: u32, bits: u8) -> bool {
    let rest = width.saturating_sub(u32::from(bits));
    let (a, b) = (a.checked_shr(rest).unwrap_or(0), b.checked_shr(rest).unwrap_or(0));
    a == b
}

impl FromStr for IpNet {
    type Err = IpNetError;

    fn from_str(text: &str) -> Result<Self, IpNetError> {
        let (address, bits) = text.trim().split_once('/').map_or((text.trim(), None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| IpNetError)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= width).ok_or(IpNetError)?,
        };
        Ok(Self { address, bits })
    }
}

/// The client's address: the peer, or what trusted proxies say.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|net| net.contains(ip));
    let mut client = peer.to_canonical();
    if trusted.is_empty() || !is_trusted(client) {
        return client;
    }
    for line in headers.get_all(FORWARDED_FOR).iter().rev() {
        for part in line.to_str().unwrap_or("").rsplit(',') {
            let Some(ip) = address(part.trim()) else { return client };
            client = ip;
            if !is_trusted(client) {
                return client;
            }
        }
    }
    client
}

/// Reads `1.2.3.4`, `1.2.3.4:5`, `::1`, `[::1]` or `[::1]:5`.
fn address(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// What shares places: an IPv4 address, or the /64 that one IPv6 customer usually holds.
pub(super) fn household(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) >> 64 << 64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_hold_what_they_should() {
        assert!(net("10.0.0.0/8").contains(ip("10.255.0.1")));
        assert!(!net("10.0.0.0/8").contains(ip("11.0.0.1")));
        assert!(net("0.0.0.0/0").contains(ip("8.8.8.8")) && !net("0.0.0.0/0").contains(ip("::2")));
        assert!(net("::/0").contains(ip("2001:db8::1")));
        assert!(net("127.0.0.1").contains(ip("::ffff:127.0.0.1")));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "x", "::1/129", "10.0.0.0/-1", "10.0.0.0/"] {
            assert!(bad.parse::<IpNet>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_rightmost_untrusted_address_is_the_client() {
        let trusted = [net("10.0.0.0/8")];
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, HeaderValue::from_static("6.6.6.6, 9.9.9.9:443, 10.0.0.7"));
        assert_eq!(client(ip("10.0.0.1"), &headers, &trusted), ip("9.9.9.9"));
        assert_eq!(client(ip("8.8.8.8"), &headers, &trusted), ip("8.8.8.8"));
        assert_eq!(client(ip("10.0.0.1"), &headers, &[]), ip("10.0.0.1"));
        headers.append(FORWARDED_FOR, HeaderValue::from_static("unknown"));
        assert_eq!(client(ip("10.0.0.1"), &headers, &trusted), ip("10.0.0.1"));
        assert_eq!(address("[2001:db8::1]:80"), Some(ip("2001:db8::1")));
    }

    #[test]
    fn one_ipv6_customer_is_one_household() {
        assert_eq!(household(ip("2001:db8::1")), household(ip("2001:db8::ffff")));
        assert_ne!(household(ip("2001:db8::1")), household(ip("2001:db8:0:1::1")));
        assert_eq!(household(ip("::ffff:1.2.3.4")), ip("1.2.3.4"));
    }
}
