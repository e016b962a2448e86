//! Who is asking: the address of the client, behind our own proxies or not.

use std::net::{IpAddr, SocketAddr};

use ::http::{HeaderMap, request::Parts};
use anyhow::anyhow;
use axum::extract::FromRequestParts;
use ipnet::IpNet;

use crate::problem::Problem;

/// The client's address, put into the request by [`crate::http::front`].
///
/// The peer of the connection, unless that is a trusted proxy: then the right-most address
/// in `X-Forwarded-For` that is none. What stands left of it the client may have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get()
            .copied()
            .ok_or_else(|| Problem::internal(anyhow!("the router stands without http::front")))
    }
}

/// Whether `peer` is one of `trusted`.
pub(crate) fn is_trusted(peer: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&peer.to_canonical()))
}

/// Finds the client: the rule is on [`ClientAddress`]. Where all hops are trusted, it is
/// the left-most; an entry that is no address ends the search at the hop before it.
pub(crate) fn find(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> ClientAddress {
    let mut client = peer.to_canonical();
    let hops =
        headers.get_all("x-forwarded-for").iter().rev().flat_map(|value| value.to_str().unwrap_or("?").rsplit(','));
    for hop in hops {
        if !is_trusted(client, trusted) {
            break;
        }
        let Some(address) = parse(hop.trim()) else { break };
        client = address.to_canonical();
    }
    ClientAddress(client)
}

/// An address, with or without a port.
fn parse(text: &str) -> Option<IpAddr> {
    let text_without_brackets = text.trim_start_matches('[').trim_end_matches(']');
    text_without_brackets.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        find(peer.parse().unwrap(), &headers, &trusted).0.to_string()
    }

    #[test]
    fn a_stranger_cannot_say_who_they_are() {
        assert_eq!(client("203.0.113.9", &["198.51.100.1"], &[]), "203.0.113.9");
        assert_eq!(client("203.0.113.9", &["198.51.100.1"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(client("127.0.0.7", &["198.51.100.1"], &[]), "127.0.0.7"); // loopback is no exception
    }

    #[test]
    fn the_right_most_untrusted_hop_counts() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(client("10.0.0.1", &["198.51.100.1"], trusted), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.0.0.2"], trusted), "198.51.100.1");
        assert_eq!(client("10.0.0.1", &["6.6.6.6", "198.51.100.1", "10.0.0.2"], trusted), "198.51.100.1");
        assert_eq!(client("::ffff:10.0.0.1", &["[2001:db8::1]:443"], trusted), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["198.51.100.1:8080"], trusted), "198.51.100.1");
    }

    #[test]
    fn nothing_usable_leaves_the_last_hop_we_know() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(client("10.0.0.1", &[], trusted), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["6.6.6.6, unknown"], trusted), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["10.0.0.9, 10.0.0.2"], trusted), "10.0.0.9");
    }
}
