//! Where events may be posted: to public addresses, by HTTPS. Whoever registers an address has us
//! call it, from where more can be reached than from outside.
//!
//! What is written is looked at when it is registered and again before each call. What a name
//! stands for is looked at when the connection is made: a name may stand for a private address, and
//! for another one each time it is asked for.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use domain::limits::SUBSCRIBER_URL_CHARS_MAX;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::problem::Problem;

/// What of IPv4 is no public address, by first address and the bits that count (IANA, "IPv4
/// Special-Purpose Address Registry"; the last is multicast and what is reserved).
const SPECIAL_V4: [(Ipv4Addr, u32); 14] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// All that is given out of IPv6 as global unicast (IANA, "IPv6 Address Space"). Private,
/// link-local and site-local addresses, multicast, loopback, and IPv4 in IPv6 (mapped, or by NAT64)
/// are outside.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What of that is no public address (IANA, "IPv6 Special-Purpose Address Registry"): protocols,
/// among them Teredo, documentation, 6to4, documentation.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// The ends of names that stand for something near (RFC 6761, RFC 6762, and ICANN for `internal`).
const NEAR: [&str; 3] = ["localhost", "local", "internal"];

/// Where events may be posted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target(Url);

/// Why events are not posted there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// It cannot be read.
    #[error("it is no URL with a host")]
    NotAUrl,
    /// It is longer than the limit.
    #[error("it has more than {SUBSCRIBER_URL_CHARS_MAX} characters")]
    TooLong,
    /// A user or a password stands in it.
    #[error("it names a user; the signature says who calls")]
    User,
    /// There is a fragment, which is never sent.
    #[error("it has a fragment")]
    Fragment,
    /// It is not HTTPS.
    #[error("it is not HTTPS")]
    Scheme,
    /// The name stands for something near.
    #[error("it is not a public name")]
    Name,
    /// The address is not a public one.
    #[error("it is not a public address")]
    Address,
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotAUrl | Refused::TooLong | Refused::User | Refused::Fragment => {
                Self::Invalid(format!("`url`: {refused}"))
            }
            Refused::Scheme | Refused::Name | Refused::Address => {
                Self::ForbiddenTarget(refused.to_string())
            }
        }
    }
}

impl Target {
    /// The target that a URL is. On a desk it may be on this very machine, and then by HTTP.
    pub(super) fn parse(url: &str, allows_loopback: bool) -> Result<Self, Refused> {
        // This reads every spelling of an address: 0x7f.1 is 127.0.0.1 from here on.
        let url = Url::parse(url).map_err(|_| Refused::NotAUrl)?;
        let host = url.host_str().ok_or(Refused::NotAUrl)?;
        if url.as_str().len() > SUBSCRIBER_URL_CHARS_MAX {
            return Err(Refused::TooLong);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::User);
        }
        if url.fragment().is_some() {
            return Err(Refused::Fragment);
        }
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        let is_spelt_out = is_uri(url.path()) && url.query().is_none_or(is_uri);
        if !is_spelt_out || (address.is_none() && !is_uri(host)) {
            return Err(Refused::NotAUrl);
        }
        let end = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        let is_here = address.map_or(end == "localhost", |address| address.is_loopback());
        let is_let_in = is_here && allows_loopback;
        match (url.scheme(), address) {
            ("https" | "http", _) if is_let_in => Ok(Self(url)),
            ("https", None) if NEAR.contains(&end) => Err(Refused::Name),
            ("https", Some(address)) if !is_global(address) => Err(Refused::Address),
            ("https", _) => Ok(Self(url)),
            _another => Err(Refused::Scheme),
        }
    }

    /// The URL, in the one spelling that it was read to.
    pub(super) fn into_url(self) -> Url {
        self.0
    }
}

/// Looks names up, and tells only of the addresses that may be called.
pub(super) struct Guard {
    pub(super) allows_loopback: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(look_up(name, self.allows_loopback))
    }
}

async fn look_up(name: Name, allows_loopback: bool) -> Result<Addrs, Box<dyn Error + Send + Sync>> {
    // The port is the URL's; here it is none.
    let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
    Ok(Box::new(allowed(found, allows_loopback)?.into_iter()))
}

/// Of what a name stands for, what may be called.
fn allowed(
    found: impl Iterator<Item = SocketAddr>,
    allows_loopback: bool,
) -> Result<Vec<SocketAddr>, Refused> {
    let is_allowed = |ip: IpAddr| is_global(ip) || (allows_loopback && ip.is_loopback());
    let allowed: Vec<_> = found.filter(|found| is_allowed(found.ip())).collect();
    if allowed.is_empty() { Err(Refused::Address) } else { Ok(allowed) }
}

/// Whether anybody in the world means the same by it, and can be called there.
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let is_in = |(first, bits): (Ipv4Addr, u32)| {
                (address.to_bits() ^ first.to_bits()) >> (32 - bits) == 0
            };
            !SPECIAL_V4.into_iter().any(is_in)
        }
        IpAddr::V6(address) => {
            let is_in = |(first, bits): (Ipv6Addr, u32)| {
                (address.to_bits() ^ first.to_bits()) >> (128 - bits) == 0
            };
            is_in(GLOBAL_V6) && !SPECIAL_V6.into_iter().any(is_in)
        }
    }
}

/// Whether a path, a query or a name has only what RFC 3986 lets stand there. The WHATWG's rules, by which
/// a URL is read, let more stand as it is; others would not understand it.
fn is_uri(text: &str) -> bool {
    let is_hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => is_hex(bytes.get(at + 1)) && is_hex(bytes.get(at + 2)),
        byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(byte),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, allows_loopback: bool, expected: Result<(), Refused>) {
        assert_eq!(Target::parse(url, allows_loopback).map(drop), expected, "{url}");
    }

    #[test]
    fn what_others_would_not_understand_is_no_target() {
        for rest in ["{mple.com/", "example.com/?a=[b]", "example.com/?a={b}", "example.com/%zz"] {
            check(&format!("https://{rest}"), false, Err(Refused::NotAUrl));
        }
        for rest in ["example.com/a%20b?c=%5Bd%5D", "a_b.example.com/~x/;y"] {
            check(&format!("https://{rest}"), false, Ok(()));
        }
    }

    #[test]
    fn a_public_place_is_a_target_by_https() {
        for url in [
            "https://example.com",
            "https://example.com./hook?key=1",
            "https://hooks.example.com:8443/a/b",
            "https://localhost.example.com/",
            "https://mylocalhost/",
            "https://internal.example.com/",
            "https://bücher.example/",
            "https://93.184.215.14/",
            "https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
        ] {
            check(url, false, Ok(()));
            check(url, true, Ok(()));
            check(&url.replacen("https", "http", 1), false, Err(Refused::Scheme));
            check(&url.replacen("https", "http", 1), true, Err(Refused::Scheme));
        }
    }

    #[test]
    fn a_target_is_written_as_one() {
        for (url, expected) in [
            ("", Refused::NotAUrl),
            ("/hook", Refused::NotAUrl),
            ("example.com", Refused::NotAUrl),
            ("https://", Refused::NotAUrl),
            ("https://exa mple.com/", Refused::NotAUrl),
            ("https://[::1", Refused::NotAUrl),
            ("https://1.2.3.4.5/", Refused::NotAUrl),
            ("https://256.1.1.1/", Refused::NotAUrl),
            ("https://[fe80::1%25eth0]/", Refused::NotAUrl),
            ("mailto:ann@example.com", Refused::NotAUrl),
            ("file:///etc/passwd", Refused::NotAUrl),
            ("https://ann@example.com/", Refused::User),
            ("https://:secret@example.com/", Refused::User),
            ("https://example.com@10.0.0.1/", Refused::User),
            ("https://example.com/#here", Refused::Fragment),
            ("ftp://example.com/", Refused::Scheme),
            ("gopher://10.0.0.1/", Refused::Scheme),
            ("wss://example.com/", Refused::Scheme),
        ] {
            check(url, false, Err(expected));
            check(url, true, Err(expected));
        }
        let of = |chars: usize| format!("https://example.com/{}", "x".repeat(chars - 20));
        check(&of(SUBSCRIBER_URL_CHARS_MAX), false, Ok(()));
        check(&of(SUBSCRIBER_URL_CHARS_MAX + 1), false, Err(Refused::TooLong));
    }

    #[test]
    fn a_name_for_what_is_near_is_no_target() {
        for name in [
            "printer.local",
            "PRINTER.LOCAL.",
            "local",
            "metadata.google.internal",
            "instance-data.ec2.internal",
            "internal.",
        ] {
            check(&format!("https://{name}/"), false, Err(Refused::Name));
            check(&format!("https://{name}/"), true, Err(Refused::Name));
        }
    }

    #[test]
    fn this_machine_is_a_target_on_a_desk_only() {
        for (host, why) in [
            ("localhost", Refused::Name),
            ("LOCALHOST.", Refused::Name),
            ("a.localhost", Refused::Name),
            ("ｌｏｃａｌｈｏｓｔ", Refused::Name),
            ("127.0.0.1", Refused::Address),
            ("127.255.255.254", Refused::Address),
            ("[::1]", Refused::Address),
        ] {
            check(&format!("https://{host}:9000/"), false, Err(why));
            check(&format!("http://{host}:9000/"), false, Err(Refused::Scheme));
            for scheme in ["https", "http"] {
                check(&format!("{scheme}://{host}:9000/"), true, Ok(()));
            }
            check(&format!("ftp://{host}/"), true, Err(Refused::Scheme));
        }
    }

    /// Goal: an address is refused however it is written. Method: every spelling that a URL knows.
    #[test]
    fn an_address_has_many_spellings_and_none_gets_through() {
        for host in [
            "127.1",
            "127.0.1",
            "0177.0.0.1",
            "0x7f.0.0.1",
            "0x7f000001",
            "2130706433",
            "0x7f.1",
            "127.0.0.1.",
            "%31%32%37.0.0.1",
            "①②⑦.⓪.⓪.①",
        ] {
            check(&format!("https://{host}/"), false, Err(Refused::Address));
        }
        for host in [
            "10.1",
            "0x0a000001",
            "167772161",
            "012.0.0.1",
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "[::ffff:10.0.0.1]",
            "[::ffff:a00:1]",
            "[::ffff:127.0.0.1]",
            "[0:0:0:0:0:ffff:a9fe:a9fe]",
            "[::127.0.0.1]",
            "[fd00:ec2::254]",
        ] {
            check(&format!("https://{host}/"), false, Err(Refused::Address));
            check(&format!("https://{host}/"), true, Err(Refused::Address));
        }
    }

    /// Goal: each block ends where it ends. Method: its first and last address are refused, and
    /// those beside it are not, unless another block begins there.
    #[test]
    fn special_addresses_of_version_4_are_not_global() {
        for (first, last, beside) in [
            ("0.0.0.0", "0.255.255.255", ["1.0.0.0", "1.0.0.0"]),
            ("10.0.0.0", "10.255.255.255", ["9.255.255.255", "11.0.0.0"]),
            ("100.64.0.0", "100.127.255.255", ["100.63.255.255", "100.128.0.0"]),
            ("127.0.0.0", "127.255.255.255", ["126.255.255.255", "128.0.0.0"]),
            ("169.254.0.0", "169.254.255.255", ["169.253.255.255", "169.255.0.0"]),
            ("172.16.0.0", "172.31.255.255", ["172.15.255.255", "172.32.0.0"]),
            ("192.0.0.0", "192.0.0.255", ["191.255.255.255", "192.0.1.0"]),
            ("192.0.2.0", "192.0.2.255", ["192.0.1.255", "192.0.3.0"]),
            ("192.88.99.0", "192.88.99.255", ["192.88.98.255", "192.88.100.0"]),
            ("192.168.0.0", "192.168.255.255", ["192.167.255.255", "192.169.0.0"]),
            ("198.18.0.0", "198.19.255.255", ["198.17.255.255", "198.20.0.0"]),
            ("198.51.100.0", "198.51.100.255", ["198.51.99.255", "198.51.101.0"]),
            ("203.0.113.0", "203.0.113.255", ["203.0.112.255", "203.0.114.0"]),
            ("224.0.0.0", "239.255.255.255", ["223.255.255.255", "223.255.255.255"]),
            ("240.0.0.0", "255.255.255.255", ["223.255.255.255", "223.255.255.255"]),
        ] {
            for special in [first, last] {
                assert!(!is_global(special.parse().unwrap()), "{special}");
                check(&format!("https://{special}/"), false, Err(Refused::Address));
            }
            for global in beside {
                assert!(is_global(global.parse().unwrap()), "{global}");
            }
        }
    }

    #[test]
    fn special_addresses_of_version_6_are_not_global() {
        for special in [
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "64:ff9b:1::1",
            "100::1",
            "1fff:ffff::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:1ff:ffff::1",
            "2001:db8::1",
            "2002:808:808::1",
            "3fff::1",
            "3fff:fff:ffff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456:789a::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_global(special.parse().unwrap()), "{special}");
            check(&format!("https://[{special}]/"), false, Err(Refused::Address));
        }
        for global in [
            "2000::1",
            "2001:200::1",
            "2001:db7::1",
            "2001:db9::1",
            "2003::1",
            "2a00:1450::1",
            "3ffe::1",
            "3fff:1000::1",
        ] {
            assert!(is_global(global.parse().unwrap()), "{global}");
        }
    }

    /// Goal: a name that stands for several addresses leads to the public ones. Method: one of each
    /// kind, beside each other and alone; a desk lets in what is on it, and nothing near it.
    #[test]
    fn of_many_addresses_those_are_called_that_may_be() {
        let of = |all: &[&str]| -> Vec<SocketAddr> {
            all.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect()
        };
        let all = ["10.0.0.1", "93.184.215.14", "::1", "2a00:1450::1", "169.254.169.254"];
        let here = ["127.0.0.1", "::1", "127.255.255.254"];
        let near = ["10.0.0.1", "192.168.1.1", "169.254.169.254", "fd00:ec2::254", "fe80::1"];
        for (found, allows_loopback, expected) in [
            (&all[..], false, Ok(&["93.184.215.14", "2a00:1450::1"][..])),
            (&all[..], true, Ok(&all[1..4])),
            (&here[..], false, Err(Refused::Address)),
            (&here[..], true, Ok(&here[..])),
            (&near[..], false, Err(Refused::Address)),
            (&near[..], true, Err(Refused::Address)),
            (&all[..0], true, Err(Refused::Address)),
        ] {
            let allowed = allowed(of(found).into_iter(), allows_loopback);
            assert_eq!(allowed, expected.map(of), "{found:?} {allows_loopback}");
        }
    }

    /// Goal: what a name stands for counts, whatever the name. Method: a name of this machine,
    /// which every machine knows.
    #[tokio::test]
    async fn a_name_leads_only_to_what_may_be_called() {
        for (allows_loopback, expected) in [(false, false), (true, true)] {
            let guard = Guard { allows_loopback };
            let found = guard.resolve("localhost".parse().unwrap()).await;
            assert_eq!(found.is_ok(), expected);
            let found: Vec<SocketAddr> = found.into_iter().flatten().collect();
            assert!(found.iter().all(|found| found.ip().is_loopback()), "{found:?}");
        }
    }
}
