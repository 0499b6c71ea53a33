//! Which addresses we talk to: no gateway or webhook address may lead into the network that Batchdesk itself runs in,
//! unless the operator named its host.
//!
//! The text is checked when it is set ([`check`]), and what its name leads to is checked at every connect
//! ([`Resolver`]): a name that changes its answer between the two gains nothing.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};
use url::{Host, Url};

/// Reads the address of a gateway or webhook. The error is a plain sentence for the person who typed it.
pub fn check(url: &str, allowed_hosts: &[String]) -> Result<Url, String> {
    let url =
        Url::parse(url.trim()).map_err(|_| "The address is not complete. Write it as https://host.".to_owned())?;
    let Some(host) = url.host() else {
        return Err("The address names no host. Write it as https://host.".to_owned());
    };
    let listed = is_listed(&host.to_string(), allowed_hosts);
    match url.scheme() {
        "https" => {}
        "http" if listed => {}
        _ => return Err("The address must begin with https://.".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("The address must not hold a user name or password.".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("The address must end before any ? or #.".to_owned());
    }
    let private = match host {
        Host::Ipv4(address) => !is_public(IpAddr::V4(address)),
        Host::Ipv6(address) => !is_public(IpAddr::V6(address)),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
    };
    if private && !listed { Err(private_network(&url)) } else { Ok(url) }
}

fn private_network(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{host} lies in a private network. If that is intended, the operator adds it to BATCHDESK_ALLOWED_HOSTS.")
}

/// Whether the operator named this host. Names are compared as typed, never by what they lead to.
fn is_listed(host: &str, allowed_hosts: &[String]) -> bool {
    let host = plain(host);
    allowed_hosts.iter().any(|allowed| {
        let allowed = plain(allowed);
        !host.is_empty()
            && (host == allowed
                || matches!((host.parse::<IpAddr>(), allowed.parse::<IpAddr>()), (Ok(one), Ok(two)) if one == two))
    })
}

fn plain(host: &str) -> String {
    host.trim().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase()
}

/// Whether the address belongs to the public internet, by the IANA registries of special addresses.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224..=255, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

/// Only global unicast (2000::/3) is public, and of it neither the special blocks nor what carries a private IPv4
/// address.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // IPv4-mapped, IPv4-translated (NAT64), 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            embedded(high, low)
        }
        // Protocol assignments (Teredo, benchmarks, ORCHID), documentation.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// A name led into a private network.
#[derive(Debug, thiserror::Error)]
#[error("the host leads into a private network, which is not allowed")]
pub struct PrivateNetwork;

/// Looks names up for the HTTP client, and refuses the private network.
#[derive(Clone, Debug)]
pub struct Resolver {
    allowed_hosts: Arc<[String]>,
}

impl Resolver {
    /// A resolver that lets only these hosts lead into the private network.
    pub fn new(allowed_hosts: &[String]) -> Self {
        Self { allowed_hosts: allowed_hosts.into() }
    }

    /// All addresses, or none: a name with one private address among public ones is not trusted.
    fn admit(&self, name: &str, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, PrivateNetwork> {
        let open = is_listed(name, &self.allowed_hosts) || addresses.iter().all(|address| is_public(address.ip()));
        if open { Ok(addresses) } else { Err(PrivateNetwork) }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(resolver.admit(name.as_str(), found)?.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_gateways_are_public_and_encrypted_unless_listed() {
        let listed = ["127.0.0.1".to_owned(), "Sandbox.internal".to_owned(), "[fd00::1]".to_owned()];
        for good in [
            "https://api.juspay.in",
            "https://api.juspay.in/ecr/",
            "https://8.8.8.8:8443",
            "https://[2606:4700::1111]/",
            "http://127.0.0.1:4010",
            " https://sandbox.INTERNAL ",
            "http://[fd00:0::1]:80",
            "http://2130706433:4010",
        ] {
            assert!(check(good, &listed).is_ok(), "{good}: {:?}", check(good, &listed));
        }
        for bad in [
            "",
            "api.juspay.in",
            "http://api.juspay.in",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "https://user@api.juspay.in",
            "https://:pw@api.juspay.in",
            "https://api.juspay.in/?a=b",
            "https://api.juspay.in/#x",
            "https://localhost",
            "https://a.localhost.",
            "https://127.0.0.2",
            "https://127.1.1",
            "https://0x7f.2",
            "https://0.0.0.0",
            "https://10.0.0.1",
            "https://100.64.0.1",
            "https://169.254.169.254/latest/",
            "https://172.31.255.255",
            "https://192.168.0.1",
            "https://192.0.0.8",
            "https://198.19.0.1",
            "https://203.0.113.5",
            "https://224.0.0.1",
            "https://255.255.255.255",
            "https://[::]",
            "https://[::1]",
            "https://[::127.0.0.1]",
            "https://[::ffff:10.0.0.1]",
            "https://[64:ff9b::10.0.0.1]",
            "https://[64:ff9b:1::1]",
            "https://[2002:7f00:1::1]",
            "https://[2001::1]",
            "https://[2001:db8::1]",
            "https://[fe80::1]",
            "https://[fd00::2]",
            "https://[ff02::1]",
            "http://[::ffff:127.0.0.1]",
        ] {
            let message = check(bad, &listed).expect_err(bad);
            assert!(message.ends_with('.'), "{message}");
        }
    }

    #[test]
    fn a_name_is_judged_by_where_it_leads() {
        let resolver = Resolver::new(&["sandbox.internal".to_owned(), "10.0.0.5".to_owned()]);
        let address = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        assert!(resolver.admit("api.juspay.in", vec![address("8.8.8.8")]).is_ok());
        assert!(resolver.admit("sandbox.internal", vec![address("10.0.0.5")]).is_ok());
        // A listed address does not open the way for names that lead to it.
        assert!(resolver.admit("evil.example", vec![address("10.0.0.5")]).is_err());
        assert!(resolver.admit("evil.example", vec![address("8.8.8.8"), address("127.0.0.1")]).is_err());
        assert!(resolver.admit("evil.example", vec![address("::ffff:169.254.169.254")]).is_err());
    }
}
