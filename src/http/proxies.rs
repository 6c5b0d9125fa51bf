//! The client's address behind proxies.
//!
//! Anybody can write `X-Forwarded-For`, so it is read from the right, and only as far as the addresses are trusted
//! proxies: the first one that is not is the client. The header is ignored when the peer itself is not a trusted proxy.
//! The address serves to share limits fairly and is never logged.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The prefix that one IPv6 customer usually has.
const HOUSEHOLD_BITS: u8 = 64;

/// Reads a network such as `10.0.0.0/8`, or a single address such as `::1`.
#[must_use]
pub fn network(text: &str) -> Option<IpNet> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

/// The client's address: the peer's, or the one given by trusted proxies.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|net| net.contains(&ip));
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

fn address(text: &str) -> Option<IpAddr> {
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    bare.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// The unit that limits are counted by: an IPv4 address, or the network of one IPv6 customer.
pub(super) fn client_network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => IpNet::new_assert(ip.into(), HOUSEHOLD_BITS).network(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn net(text: &str) -> IpNet {
        network(text).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_are_read_and_a_lone_address_is_one() {
        assert!(net(" 10.0.0.7/8 ").contains(&ip("10.255.0.1")));
        assert!(!net("10.0.0.0/8").contains(&ip("11.0.0.1")));
        assert!(net("0.0.0.0/0").contains(&ip("8.8.8.8")) && !net("0.0.0.0/0").contains(&ip("::2")));
        assert!(net("::1").contains(&ip("::1")) && !net("127.0.0.1").contains(&ip("127.0.0.2")));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "x", "::1/129", "10.0.0.0/-1", "10.0.0.0/"] {
            assert_eq!(network(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_ipv4_address_in_ipv6_dress_is_the_ipv4_address() {
        let trusted = [net("127.0.0.1")];
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, HeaderValue::from_static("9.9.9.9, ::ffff:127.0.0.1"));
        assert_eq!(client(ip("::ffff:127.0.0.1"), &headers, &trusted), ip("9.9.9.9"));
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
        assert_eq!(client_network(ip("2001:db8::1")), client_network(ip("2001:db8::ffff")));
        assert_ne!(client_network(ip("2001:db8::1")), client_network(ip("2001:db8:0:1::1")));
        assert_eq!(client_network(ip("::ffff:1.2.3.4")), ip("1.2.3.4"));
    }
}
