//! Where the fans go, and where they come from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, bail};
use hyper::Uri;

/// The server under load, looked up once.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub address: SocketAddr,
    /// What the `Host` header says.
    pub authority: String,
    /// The path before every path, without a slash at the end.
    pub base: String,
}

impl Target {
    /// # Errors
    /// Anything but `http://host[:port][/base]`, and a host that cannot be looked up.
    pub(crate) async fn resolve(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("no URL: {url}"))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => bail!("loadtest speaks plain http only, not {url}"),
            _ => bail!("expected http://HOST[:PORT], not {url}"),
        }
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(80);
        let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host.trim_matches(['[', ']']), port))
            .await
            .with_context(|| format!("cannot look up {host}"))?
            .collect();
        // only IPv4 has a whole network of loopback addresses to come from
        let address = addresses
            .iter()
            .find(|address| address.is_ipv4())
            .or_else(|| addresses.first())
            .with_context(|| format!("{host} has no address"))?;
        Ok(Self {
            address: *address,
            authority: uri.authority().map(ToString::to_string).unwrap_or_default(),
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The address a fan binds to; none when the server is not on this machine, where every fan
    /// has to come from the one address there is.
    pub(crate) fn origin(&self, fan: u32) -> Option<IpAddr> {
        (self.address.is_ipv4() && self.address.ip().is_loopback()).then(|| loopback(fan).into())
    }
}

/// The n-th fan's own address: 127.16.1.1, 127.16.1.2, … (16 million before they repeat would be
/// too many for one process anyway). The low networks are left to whoever listens there.
pub(crate) fn loopback(fan: u32) -> Ipv4Addr {
    let octet = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
    let (last, rest) = (fan % 254 + 1, fan / 254);
    let (third, rest) = (rest % 254 + 1, rest / 254);
    Ipv4Addr::new(127, octet(16 + rest % 239), octet(third), octet(last))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_fan_has_an_address_of_its_own() {
        let addresses: HashSet<_> = (0..200_000).map(loopback).collect();
        assert_eq!(addresses.len(), 200_000);
        assert!(addresses.iter().all(Ipv4Addr::is_loopback));
        assert!(!addresses.contains(&Ipv4Addr::LOCALHOST));
    }

    #[tokio::test]
    async fn only_plain_http_is_taken() {
        let target = Target::resolve("http://127.0.0.1:8080/shop/").await.unwrap();
        assert_eq!(target.address, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(target.base, "/shop");
        assert_eq!(target.origin(0), Some("127.16.1.1".parse().unwrap()));
        for wrong in ["https://localhost", "localhost:8080", "ftp://x", ""] {
            assert!(Target::resolve(wrong).await.is_err(), "{wrong}");
        }
    }
}
